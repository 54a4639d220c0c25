"""Jobs that take over what earlier ones have explained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine

from geogaze.errors import SceneUnreadable, UnitBroke
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from tests.unit.ledger.suite import OnSqlite, Suite, columns_of, submission


class ReuseSuite(Suite):
    def fresh(self, ledger: Ledger, job: UUID) -> None:
        status = ledger.status(job)
        assert (status.phase, status.items_reused, status.items_done) == ("explain", 0, 0)
        units = self.units(ledger.database, job)
        assert {(unit.state, unit.prefix) for unit in units} == {(UnitState.PENDING, None)}

    def test_a_job_that_was_explained_before_goes_on_from_there(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(3)
        first = ledger.submit(asked)
        self.finish(ledger, claims)
        second = ledger.submit(asked)
        status = ledger.status(second)
        assert (status.state, status.phase) == (JobState.ACCEPTED, "publish")
        assert (status.items_done, status.items_reused) == (30, 30)
        assert status.items_per_second is None
        assert ledger.parts(second, "explain") == ledger.parts(first, "explain")
        (publish,) = [u for u in self.units(engine, second) if u.phase == "publish"]
        assert publish.state is UnitState.PENDING
        self.finish(ledger, claims)
        (part,) = ledger.parts(second, "publish")
        assert part.result["by"] == str(second), "products are each job's own"
        assert ledger.status(second).state is JobState.SUCCESSFUL
        assert ledger.status(first).items_reused == 0

    def test_what_is_missing_is_explained(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(4)
        first = ledger.submit(asked)
        self.finish(ledger, claims, 2)
        running = self.take(ledger, claims)
        self.dispatch(engine, 1)
        second = ledger.submit(asked)
        status = ledger.status(second)
        assert (status.state, status.phase) == (JobState.ACCEPTED, "explain")
        assert (status.items_done, status.items_reused) == (20, 20)
        assert (status.phases["explain"].total, status.phases["explain"].remaining) == (*(4, 2),)
        units = self.units(engine, second)
        assert [u.state for u in units] == [UnitState.DONE] * 2 + [UnitState.PENDING] * 2
        for unit in units[2:]:
            assert (unit.attempt, unit.failures, unit.prefix, unit.token) == (0, 0, None, None)
            own = claims.claim(unit.id, "worker")
            assert own is not None
            assert own.prefix != running.prefix
            claims.commit(own, {}, items=10)
        status = ledger.status(second)
        assert (status.phase, status.items_done, status.items_reused) == ("publish", 40, 20)
        claims.commit(running, {}, items=10)
        assert ledger.status(first).items_done == 30

    def test_split_and_skipped_tiles_are_taken_over_as_they_are(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2, skips=True)
        first = ledger.submit(asked)
        self.poison(ledger, claims, first, bad={12})
        second = ledger.submit(asked)
        status, earlier = ledger.status(second), ledger.status(first)
        assert status.phase == "publish"
        assert status.phases["explain"].total == earlier.phases["explain"].total > 2
        assert ledger.skipped(second) == ledger.skipped(first) != []
        assert ledger.parts(second, "explain") == ledger.parts(first, "explain")

    def test_halves_that_are_open_stay_halves(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2)
        ledger.submit(asked)
        self.finish(ledger, claims, 1)
        claims.give_up(self.take(ledger, claims), UnitBroke("broke"))
        second = ledger.submit(asked)
        count = ledger.status(second).phases["explain"]
        assert (count.total, count.remaining, count.items_reused) == (3, 2, 10)
        pending = [u for u in self.units(engine, second) if u.state is UnitState.PENDING]
        assert [columns_of(unit) for unit in pending] == [(10, 15), (15, 20)]
        self.finish(ledger, claims)
        assert ledger.status(second).items_done == 20

    def test_a_failed_job_leaves_what_it_has_done(self, ledger: Ledger, claims: Claims) -> None:
        asked = submission(3)
        first = ledger.submit(asked)
        self.finish(ledger, claims, 1)
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        second = ledger.submit(asked)
        status = ledger.status(second)
        assert (status.state, status.items_reused) == (JobState.ACCEPTED, 10)
        self.finish(ledger, claims)
        assert ledger.status(second).state is JobState.SUCCESSFUL
        assert ledger.status(first).state is JobState.FAILED

    def test_the_job_that_has_explained_most_is_taken(self, ledger: Ledger, claims: Claims) -> None:
        asked = submission(3)
        for done in (1, 2):
            job = ledger.submit(submission(3))
            self.finish(ledger, claims, done)
            ledger.dismiss(job)
        few = ledger.submit(asked)
        self.finish(ledger, claims, 1)
        more = ledger.submit(asked)
        unit = next(u for u in self.units(ledger.database, more) if u.state is UnitState.PENDING)
        claim = claims.claim(unit.id, "worker")
        assert claim is not None
        claims.commit(claim, {}, items=10)
        assert ledger.status(few).items_done == 10
        assert ledger.status(ledger.submit(asked)).items_reused == 20

    @pytest.mark.parametrize("other", ["tenant", "content", "dismissed"])
    def test_nothing_is_taken_from_others(self, ledger: Ledger, claims: Claims, other: str) -> None:
        asked = submission(2)
        first = ledger.submit(asked)
        self.finish(ledger, claims)
        match other:
            case "tenant":
                asked = submission(2, content=asked.content, tenant="other")
            case "content":
                asked = submission(2)
            case "dismissed":
                ledger.dismiss(first)
        self.fresh(ledger, ledger.submit(asked))

    def test_a_job_that_has_explained_nothing_gives_nothing(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2)
        ledger.submit(asked)
        claims.give_up(self.take(ledger, claims), UnitBroke("broke"))  # splits
        self.fresh(ledger, ledger.submit(asked))

    def test_what_was_taken_over_outlives_the_job_that_made_it(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(2)
        first = ledger.submit(asked)
        self.finish(ledger, claims)
        second = ledger.submit(asked)
        prefixes = {part.prefix for part in ledger.parts(second, "explain")}
        ledger.dismiss(first)
        collection = Collection(engine)
        assert collection.living(prefixes) == prefixes
        collection.released(first)
        assert collection.living(prefixes) == prefixes
        assert {part.prefix for part in ledger.parts(second, "explain")} == prefixes
        ledger.dismiss(second)
        assert collection.living(prefixes) == set()

    def test_jobs_submitted_while_units_are_committed_are_sound(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission(8)
        first = ledger.submit(asked)
        held = [claims.claim(unit.id, "worker") for unit in self.units(engine)]
        barrier = Barrier(4)

        def commit() -> None:
            barrier.wait()
            for claim in held:
                assert claim is not None
                claims.commit(claim, {}, items=10)

        def send(_: int) -> list[UUID]:
            barrier.wait()
            return [ledger.submit(asked) for _ in range(4)]

        with ThreadPoolExecutor(4) as pool:
            committing = pool.submit(commit)
            jobs = [job for sent in pool.map(send, range(3)) for job in sent]
        committing.result()
        for job in [first, *jobs]:
            count = ledger.status(job).phases["explain"]
            units = [u for u in self.units(engine, job) if u.phase == "explain"]
            done = sum(unit.state is UnitState.DONE for unit in units)
            assert (len(units), count.remaining, count.items_done) == (8, 8 - done, 10 * done)
            assert (ledger.status(job).phase == "publish") == (done == 8)


class TestOnSqlite(OnSqlite, ReuseSuite):
    pass
