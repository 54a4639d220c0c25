"""What workers and users ask of jobs: how long they ran, and whether a claim still holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.errors import IllegalTransition, StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from tests.unit.ledger.suite import patience, submit


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(connect(f"sqlite:///{tmp_path / 'ledger.db'}"))
    ledger.create_tables()
    yield ledger
    ledger.database.dispose()


def test_jobs_are_found_by_how_long_they_ran(ledger: Ledger) -> None:
    jobs = [submit(ledger) for _ in range(3)]
    with Session(ledger.database) as session, session.begin():
        for job, seconds in zip(jobs, (5, 50, 500), strict=True):
            ended = {"started": 1000.0, "finished": 1000.0 + seconds}
            session.execute(update(Job).where(Job.id == job).values(ended))

    def found(**asked: float) -> set[UUID]:
        return {status.id for status in ledger.jobs(limit=9, **asked)}  # type: ignore[arg-type]

    assert found(max_seconds=50) == {jobs[0], jobs[1]}
    assert found(min_seconds=50) == {jobs[1], jobs[2]}
    assert found(min_seconds=6, max_seconds=499) == {jobs[1]}


def test_a_claim_holds_until_its_job_ends(ledger: Ledger) -> None:
    job = submit(ledger, 2)
    claims = Claims(ledger.database, lease_seconds=60, patience=patience(3))
    claim = claims.claim(Queue(ledger.database).dispatch(1)[0].unit, "worker")
    assert claim
    claims.check(claim)
    ledger.dismiss(job)
    with pytest.raises(StaleClaim):
        claims.check(claim)


def test_a_job_that_runs_cannot_be_retried(ledger: Ledger) -> None:
    job = submit(ledger, 2)
    with pytest.raises(IllegalTransition, match="accepted"):
        ledger.retry(job)
    claims = Claims(ledger.database, lease_seconds=60, patience=patience(3))
    claim = claims.claim(Queue(ledger.database).dispatch(1)[0].unit, "worker")
    assert claim
    with pytest.raises(IllegalTransition, match="running"):
        ledger.retry(job)
    claims.check(claim)
