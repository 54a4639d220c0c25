"""The list of workers: from what they report, and from the leases that hold."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import WorkerSeen
from geogaze.ledger.workers import SILENT_SECONDS, Report, Workers
from geogaze.version import VERSION
from tests.unit.ledger.suite import OnSqlite, Suite, submit


class WorkersSuite(Suite):
    """On either database."""

    @pytest.fixture
    def workers(self, engine: Engine) -> Workers:
        return Workers(engine)

    def silence(self, engine: Engine, name: str, seconds: float) -> None:
        with Session(engine) as session, session.begin():
            silent = update(WorkerSeen).where(WorkerSeen.name == name)
            session.execute(silent.values(seen=WorkerSeen.seen - seconds))

    def test_who_reports_is_listed_as_it_last_said(self, engine: Engine, workers: Workers) -> None:
        assert workers.alive() == []
        before = self.clock(engine)
        workers.report(Report("b", 2, "cpu"))
        workers.report(Report("a", 1, "cuda:0 NVIDIA H200", "ships"))
        first = {worker.report.name: worker for worker in workers.alive()}
        workers.report(Report("b", 2, "cpu", "aerial-scenes"))
        told = workers.alive()
        assert [worker.report for worker in told] == [
            Report("a", 1, "cuda:0 NVIDIA H200", "ships"),
            Report("b", 2, "cpu", "aerial-scenes"),
        ]
        assert told[1].started == first["b"].started
        assert before <= (told[1].started or 0) <= told[1].seen
        assert {worker.version for worker in told} == {VERSION}

    def test_units_in_hand_are_those_whose_lease_holds(
        self, engine: Engine, ledger: Ledger, claims: Claims, workers: Workers
    ) -> None:
        job = submit(ledger, 3)
        for name in ("a", "b"):
            workers.report(Report(name, 2))
        mine, others, lost = self.dispatch(engine, 3)
        claimed = claims.claim(mine, "a")
        assert claimed
        assert claims.claim(others, "b")
        assert claims.claim(lost, "a")
        claims.tell(claimed, 7)
        self.meddle(engine, lost, lease_until=1.0)
        a, b = workers.alive()
        (unit,) = a.units
        assert (unit.job, unit.tenant, unit.phase) == (job, "default", "explain")
        assert (unit.position, unit.attempt, unit.items) == (claimed.position, 1, 7)
        assert [unit.position for unit in b.units] == [self.unit(engine, others).position]
        ledger.dismiss(job)
        assert {worker.units for worker in workers.alive()} == {()}

    def test_the_dead_leave_by_themselves(
        self, engine: Engine, claims: Claims, workers: Workers
    ) -> None:
        for name in ("alive", "dead", "left"):
            workers.report(Report(name, 2))
        claims.leave("left")
        self.silence(engine, "alive", SILENT_SECONDS - 10)
        self.silence(engine, "dead", SILENT_SECONDS + 1)
        assert [worker.report.name for worker in workers.alive()] == ["alive"]
        collection = Collection(engine)
        assert collection.forget_workers() == 0, "it may come back"
        self.silence(engine, "dead", 86_400)
        assert collection.forget_workers() == 1
        with Session(engine) as session:
            assert session.get(WorkerSeen, "alive")

    def test_an_older_release_tells_less(self, engine: Engine, workers: Workers) -> None:
        with Session(engine) as session, session.begin():
            session.add(WorkerSeen(name="old", slots=2, seen=self.clock(engine)))
        (old,) = workers.alive()
        assert (old.report, old.version, old.started) == (Report("old", 2), None, None)


class TestWorkersOnSqlite(OnSqlite, WorkersSuite):
    """Here."""
