"""What jobs took of workers, put down with their units, and told by jobs like them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreachable, StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.spending import Effort, Spent
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.ledger.usage import put_down
from geogaze.metrics.backlog import BACKLOG
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit

CPU = Effort("cpu", 3.0, 4)
GPU = Effort("NVIDIA H200", 0.5, 16)
DONE: dict[str, Any] = {"assets": {"files": {}}}


class UsageSuite(Suite):
    """On either database."""

    def test_each_device_and_phase_has_its_sum(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 3)
        assert ledger.status(job).spent == ()
        for effort in (CPU, GPU, CPU):
            claims.commit(self.take(ledger, claims), DONE, items=10, effort=effort)
        claims.commit(self.take(ledger, claims), DONE, items=0, effort=GPU)
        status = ledger.status(job)
        assert set(status.spent) == {
            Spent("explain", "cpu", 20, 6.0, 24.0),
            Spent("explain", "NVIDIA H200", 10, 0.5, 8.0),
            Spent("publish", "NVIDIA H200", 0, 0.5, 8.0),
        }
        assert sum(one.gpu_seconds for one in status.spent) == 1.0
        assert ledger.jobs(limit=1)[0].spent == status.spent

    def test_what_came_to_nothing_costs_all_the_same(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        claims.give_up(self.take(ledger, claims), SceneUnreachable("away"), CPU)
        self.make_due(engine)
        claims.release(self.take(ledger, claims), CPU)
        lost = self.take(ledger, claims)
        assert ledger.status(job).spent == (Spent("explain", "cpu", 0, 6.0, 24.0),)
        self.lose_worker(engine, lost)
        with pytest.raises(StaleClaim):
            claims.commit(lost, DONE, items=10, effort=CPU)
        assert ledger.status(job).spent[0].items == 0, "who lost its claim puts nothing down"

    def test_a_backlog_is_told(self, engine: Engine, ledger: Ledger, claims: Claims) -> None:
        """What it is made of, see :mod:`tests.unit.api.test_metrics`."""
        for model in ("light", "heavy"):
            ledger.submit(submission(2, request={"model": model}))
        effort = Effort("cpu", 40.0, 2)
        claims.commit(self.take(ledger, claims), DONE, items=10, effort=effort)
        assert BACKLOG.read(engine) == {(): 30 * 4.0}

    def test_jobs_alike_tell_what_they_took(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        """Another tenant's, unfinished ones, those that took items over, and those of which a
        part is not known tell nothing.
        """
        alike = {"model": "tiny", "method": "gradcam"}

        def ran(seconds: float, *, tenant: str = "anna", known: int = 20, **asked: Any) -> UUID:
            request = {**alike, **asked}
            job = ledger.submit(submission(2, request=request, tenant=tenant))
            self.finish(ledger, claims)
            times = {"started": 1000.0, "finished": 1000.0 + seconds, "size": 77}
            with Session(engine) as session, session.begin():
                session.execute(update(Job).where(Job.id == job).values(**times))
                put_down(session, job, "explain", Effort("cpu", seconds, 2), known)
            return job

        anna = ledger.of("anna")
        assert anna.earlier("explain", alike) == []
        ran(4.0, tenant="bert")
        assert anna.earlier("explain", alike) == []
        assert [one.elapsed for one in ledger.earlier("explain", alike)] == [4.0]
        ran(8.0)
        ran(9.0)
        ran(1.0, known=10)
        ledger.submit(submission(2, request=alike, tenant="anna"))
        newest, oldest = anna.earlier("explain", alike)
        assert (newest.elapsed, oldest.elapsed) == (9.0, 8.0)
        assert newest.spent == [Spent("explain", "cpu", 20, 9.0, 18.0)]
        assert newest.size == 77
        assert newest.plan["layers"] == ["boat"]
        for other in ({"method": "layercam"}, {"context": "scene"}):
            assert anna.earlier("explain", {**alike, **other}) == []
        assert anna.earlier("audit", alike) == []

    def test_what_took_items_over_tells_nothing(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        for _ in range(2):
            job = ledger.submit(submission(2, content="same"))
            self.finish(ledger, claims)
            with Session(engine) as session, session.begin():
                put_down(session, job, "explain", CPU, 20)
        assert ledger.status(job).items_reused == 20
        assert len(ledger.earlier("explain", {})) == 1


class TestOnSqlite(OnSqlite, UsageSuite):
    """Here."""
