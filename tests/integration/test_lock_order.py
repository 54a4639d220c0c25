"""Whoever changes units locks their job's row before: two orders wait for each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreadable
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.records import Claim
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Unit
from tests.integration.test_ledger import OnPostgres, server
from tests.unit.ledger.suite import ATTEMPTS, Suite, patience, submission, submit

__all__ = ["server"]

_WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
Step = Callable[["TestLockOrder", Engine, UUID, Claim], object]

STEPS: dict[str, Step] = {
    "sweep of lost messages": lambda suite, engine, job, claim: suite.sweep(engine, -1.0),
    "sweep of lost workers": lambda suite, engine, job, claim: suite.lose_worker(engine, claim),
    "leave": lambda suite, engine, job, claim: suite.claims_of(engine).leave("worker"),
    "release": lambda suite, engine, job, claim: suite.claims_of(engine).release(claim),
    "renew": lambda suite, engine, job, claim: suite.claims_of(engine).renew(claim),
    "commit": lambda suite, engine, job, claim: suite.claims_of(engine).commit(claim, {}, items=1),
    "give up": lambda suite, engine, job, claim: suite.claims_of(engine).give_up(
        claim, SceneUnreadable("damaged")
    ),
    "claim": lambda suite, engine, job, claim: [
        suite.claims_of(engine).claim(unit.id, "worker") for unit in suite.units(engine, job)
    ],
    "dispatch": lambda suite, engine, job, claim: suite.dispatch(engine, 9),
    "dismiss": lambda suite, engine, job, claim: Ledger(engine).dismiss(job),
    "removal": lambda suite, engine, job, claim: Collection(engine).released(job),
}


class TestLockOrder(OnPostgres, Suite):
    def claims_of(self, engine: Engine) -> Claims:
        return Claims(engine, lease_seconds=30.0, patience=patience(ATTEMPTS))

    @pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
    def test_a_step_waits_for_the_job_with_no_unit_in_hand(
        self, engine: Engine, ledger: Ledger, claims: Claims, step: Step
    ) -> None:
        """Another holds the job's row, as a retry does, and is about to change its units."""
        job = submit(ledger, 6)
        claim = self.take(ledger, claims)
        self.dispatch(engine, 2)
        with ThreadPoolExecutor(1) as pool, Session(engine) as other, other.begin():
            other.execute(select(Job.id).where(Job.id == job).with_for_update())
            done = pool.submit(step, self, engine, job, claim)
            self.wait_until_blocked(engine, done)
            # Refused, and not waited for, where somebody has one of them.
            units = select(Unit.id).where(Unit.job_id == job).with_for_update(nowait=True)
            assert len(other.scalars(units).all()) == 6
            other.rollback()
            done.result()

    def wait_until_blocked(self, engine: Engine, done: Future[object]) -> None:
        deadline = time.monotonic() + 60
        with engine.connect() as connection:
            while not connection.scalar(_WAITING):
                connection.rollback()
                assert not done.done(), f"it did not ask for the job: {done.result()!r}"
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def test_two_dispatchers_take_jobs_in_one_order(self, engine: Engine, ledger: Ledger) -> None:
        jobs = sorted(ledger.submit(submission(2)) for _ in range(3))
        with ThreadPoolExecutor(1) as pool, Session(engine) as other, other.begin():
            other.execute(select(Job.id).where(Job.id == jobs[0]).with_for_update())
            done = pool.submit(self.dispatch, engine, 9)
            self.wait_until_blocked(engine, done)
            later = select(Job.id).where(Job.id.in_(jobs[1:])).with_for_update(nowait=True)
            assert len(other.scalars(later).all()) == 2
            other.rollback()
            assert len(done.result()) == 6
        assert {unit.state for unit in self.units(engine)} == {UnitState.DISPATCHED}
