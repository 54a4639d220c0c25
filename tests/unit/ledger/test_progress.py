"""How far a job is while its units are at work, and how long it takes yet."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreadable, StaleClaim, StorageUnavailable, UnitBroke
from geogaze.ledger.claims import Claims
from geogaze.ledger.pace import Pace
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Phase
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit
from tests.unit.ledger.test_lists import asked


class ProgressSuite(Suite):
    """Marks are told in the database's time, so tests move them, and not the clock."""

    def pace(self, ledger: Ledger, job: UUID) -> Pace:
        return ledger.status(job).phases["explain"].pace

    def later(self, engine: Engine, job: UUID, seconds: float) -> None:
        """Let time go by, as far as marks are concerned."""
        marks = self.pace(Ledger(engine), job).marks
        moved = [[at - seconds, tiles] for at, tiles in marks]
        with Session(engine) as session, session.begin():
            explain = (Phase.job_id == job, Phase.name == "explain")
            session.execute(update(Phase).where(*explain).values(pace=moved))

    def test_tiles_of_units_at_work_count(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2)
        first, second = self.take(ledger, claims), self.take(ledger, claims)
        claims.tell(first, 4)
        status = ledger.status(job)
        assert (status.items_done, status.items_seen, status.progress) == (0, 4, 19)
        assert status.headline == "explaining: 4 of 20 tiles"
        self.later(engine, job, 10)
        claims.tell(second, 3)
        self.later(engine, job, 10)
        claims.tell(first, 8)
        assert ledger.status(job).items_seen == 11
        claims.commit(first, {}, items=10)
        status = ledger.status(job)
        assert (status.items_done, status.items_seen) == (10, 11)
        self.later(engine, job, 10)
        claims.tell(second, 6)
        assert ledger.status(job).items_seen == 16, "a unit that is done is counted once"
        claims.commit(second, {}, items=10)
        assert ledger.status(job).items_seen == 20

    def test_speed_and_time_left_are_those_of_late(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 3)
        claim = self.take(ledger, claims)
        claims.tell(claim, 2)
        assert ledger.status(job).items_per_second is ledger.status(job).seconds_left is None
        self.later(engine, job, 200)
        claims.tell(claim, 6)
        status = ledger.status(job)
        assert status.items_per_second == pytest.approx(4 / 200, rel=0.05)
        assert status.seconds_left == pytest.approx(24 * 50, rel=0.05)
        self.later(engine, job, 3600)
        stalled = ledger.status(job)
        assert stalled.items_per_second is stalled.seconds_left is None

    def test_reused_tiles_make_no_speed(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        work = submission(3)
        ledger.submit(work)
        claims.commit(self.take(ledger, claims), {}, items=10)
        other = ledger.submit(work)
        status = ledger.status(other)
        assert (status.items_seen, status.items_reused, status.progress) == (10, 10, 32)
        unit = self.units(engine, other)[-1]
        claim = claims.claim(unit.id, "worker")
        assert claim
        claims.tell(claim, 1)
        self.later(engine, other, 100)
        claims.tell(claim, 3)
        assert ledger.status(other).items_seen == 13
        assert ledger.status(other).items_per_second == pytest.approx(2 / 100, rel=0.05)

    @pytest.mark.parametrize("way", ["release", "retry", "lost", "split"])
    def test_what_is_handed_back_counts_no_more_but_progress_does_not_fall(
        self, engine: Engine, ledger: Ledger, claims: Claims, way: str
    ) -> None:
        job = submit(ledger, 2)
        claims.commit(self.take(ledger, claims), {}, items=10)
        claim = self.take(ledger, claims)
        claims.tell(claim, 6)
        before = ledger.status(job).progress
        if way == "release":
            claims.release(claim)
        elif way == "retry":
            claims.give_up(claim, StorageUnavailable("away"))
        elif way == "lost":
            self.lose_worker(engine, claim)
        else:
            while claims.give_up(claim, UnitBroke("broke")):
                self.make_due(engine)
                claim = self.take(ledger, claims)
        assert ledger.status(job).progress == before
        self.make_due(engine)
        again = self.take(ledger, claims)
        assert self.unit(engine, again.unit_id).items_done == 0
        self.later(engine, job, 10)
        claims.tell(again, 1)
        status = ledger.status(job)
        assert self.pace(ledger, job).marks[-1][1] == 11, "those of before are not there any more"
        assert (status.items_seen, status.progress) == (16, before)

    def test_a_stale_claim_tells_nothing(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2)
        stale = self.take(ledger, claims)
        self.lose_worker(engine, stale)
        fresh = self.take(ledger, claims)
        before = self.snapshot(engine)
        with pytest.raises(StaleClaim):
            claims.tell(stale, 5)
        assert self.snapshot(engine) == before
        claims.tell(fresh, 5)
        ledger.dismiss(job)
        with pytest.raises(StaleClaim):
            claims.tell(fresh, 6)

    def test_later_phases_say_no_time(self, engine: Engine, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 1, calibrate=2)
        claim = self.take(ledger, claims)
        claims.tell(claim, 2)
        self.later(engine, job, 10)
        claims.tell(claim, 6)
        claims.commit(claim, {}, items=10)
        seen = []
        for _ in range(3):
            status = ledger.status(job)
            assert status.seconds_left is status.items_per_second is None
            seen.append(status.progress)
            claims.commit(self.take(ledger, claims), {"assets": {}}, items=0)
        assert seen == [92, 95, 97]
        assert (ledger.status(job).items_per_second or 0) > 0  # the mean

    def test_a_job_that_failed_tells_what_it_keeps(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 2)
        claims.commit(self.take(ledger, claims), {}, items=10)
        claim = self.take(ledger, claims)
        claims.tell(claim, 6)
        before = ledger.status(job).progress
        claims.give_up(claim, SceneUnreadable("gone"))
        status = ledger.status(job)
        assert (status.state, status.items_seen) == (JobState.FAILED, 10)
        assert status.progress == before

    def test_telling_costs_three_statements_at_most_and_a_poll_no_more_than_before(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        claim = self.take(ledger, claims)

        def cost(tiles: int) -> list[str]:
            with asked(engine) as statements:
                claims.tell(claim, tiles)
            return [text.split()[0] for text, _ in statements if not text.startswith("BEGIN")]

        assert cost(1) == ["UPDATE", "SELECT", "UPDATE"]
        self.later(engine, job, -20)  # a mark of just now, however slow this machine is
        assert cost(2) == ["UPDATE", "SELECT"]
        with asked(engine) as statements:
            ledger.status(job)
        texts = [text for text, _ in statements if not text.startswith("BEGIN")]
        assert len(texts) == 3
        assert not any("FROM units" in text for text in texts)


class TestOnSqlite(OnSqlite, ProgressSuite):
    pass
