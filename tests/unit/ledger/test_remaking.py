"""Parts that storage has lost are made anew, with what rests on them, and nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine

from geogaze.errors import ObjectNotFound, StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.records import Claim
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit


def gone(prefix: str) -> ObjectNotFound:
    key = f"{prefix}tiles.npz"
    error = ObjectNotFound(f"There is no object {key!r}.")
    error.key = key
    return error


class RemakingSuite(Suite):
    def explaining(self, engine: Engine, job: UUID) -> list[Unit]:
        return [unit for unit in self.units(engine, job) if unit.phase == "explain"]

    def last(self, ledger: Ledger, claims: Claims, count: int) -> Claim:
        """The unit after so many that are done."""
        self.finish(ledger, claims, count)
        return self.take(ledger, claims)

    def test_a_part_that_is_gone_is_made_anew(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 3, calibrate=2)
        claim = self.last(ledger, claims, 4)  # three parts and one of two that rest on them
        told = ledger.status(job).progress
        assert claim.phase == "calibrate"
        lost = next(u for u in self.explaining(engine, job) if u.position == 1)
        assert claims.give_up(claim, gone(lost.prefix or ""))
        explained = sorted(self.explaining(engine, job), key=lambda unit: unit.position)
        assert [(u.position, u.state) for u in explained] == [
            (0, UnitState.DONE),
            (1, UnitState.PENDING),
            (2, UnitState.DONE),
        ]
        assert not [u for u in self.units(engine, job) if u.phase != "explain"]
        status = ledger.status(job)
        assert (status.state, status.phase) == (JobState.RUNNING, "explain")
        assert (status.phases["explain"].remaining, status.items_done) == (1, 20)
        assert status.phases["calibrate"].remaining == 2
        assert (status.progress, status.items_seen) == (told, 30), "what was told does not fall"
        again = self.take(ledger, claims)
        assert (again.phase, again.position) == ("explain", 1)
        assert again.prefix != lost.prefix, "who is late may still write there"
        claims.commit(again, {}, items=10)
        self.finish(ledger, claims, 1)
        assert ledger.status(job).progress == told, "as far as it was"
        self.finish(ledger, claims, 1)
        assert ledger.status(job).progress > told
        self.finish(ledger, claims)
        status = ledger.status(job)
        assert (status.state, status.items_done) == (JobState.SUCCESSFUL, 30)

    def test_others_at_work_on_what_was_gone_hear_of_it(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 1, calibrate=2)
        claim = self.last(ledger, claims, 1)
        other = self.take(ledger, claims)
        (lost,) = self.explaining(engine, job)
        assert claims.give_up(claim, gone(lost.prefix or ""))
        with pytest.raises(StaleClaim):
            claims.check(other)
        with pytest.raises(StaleClaim):
            claims.commit(other, {}, items=0)

    @pytest.mark.parametrize("prefix", ["jobs/of/another/", "", None])
    def test_what_no_part_of_the_job_was_fails_it(
        self, ledger: Ledger, claims: Claims, prefix: str | None
    ) -> None:
        job = submit(ledger)
        claim = self.last(ledger, claims, 1)
        assert not claims.give_up(claim, gone(claim.prefix if prefix is None else prefix))
        status = ledger.status(job)
        assert status.state is JobState.FAILED
        assert (status.problem or {})["slug"] == "no-such-object"

    def test_a_storage_that_keeps_losing_fails_the_job_some_day(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        for _ in range(50):
            claim = self.last(ledger, claims, 1)
            (lost,) = self.explaining(engine, job)
            if not claims.give_up(claim, gone(lost.prefix or "")):
                break
            assert ledger.status(job).state is JobState.RUNNING
        assert ledger.status(job).state is JobState.FAILED

    def test_a_job_that_took_a_lost_part_over_makes_its_own(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        first = ledger.submit(submission(2, content="same"))
        self.finish(ledger, claims)
        second = ledger.submit(submission(2, content="same"))
        claim = self.take(ledger, claims)
        lost = next(u for u in self.explaining(engine, second) if u.position == 1)
        assert claims.give_up(claim, gone(lost.prefix or ""))
        assert ledger.status(first).state is JobState.SUCCESSFUL
        again = self.take(ledger, claims)
        assert (again.job_id, again.position) == (second, 1)
        assert again.prefix != lost.prefix
        claims.commit(again, {}, items=10)
        self.finish(ledger, claims)
        assert ledger.status(second).state is JobState.SUCCESSFUL


class TestOnSqlite(OnSqlite, RemakingSuite):
    pass
