"""What may be removed, and what must stay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, String, cast, update
from sqlalchemy.orm import Session

from geogaze.errors import SceneUnreadable, StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Unit
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit

DAY = 86400.0


class CollectionSuite(Suite):
    @pytest.fixture
    def collection(self, engine: Engine) -> Collection:
        return Collection(engine)

    # Attempts

    def test_visible_and_running_attempts_live(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        submit(ledger, 5)
        done, running, released = (self.take(ledger, claims) for _ in range(3))
        claims.commit(done, {}, items=10)
        claims.release(released)
        lost = self.take(ledger, claims)
        self.meddle(engine, lost.unit_id, lease_until=1.0)
        listed = {claim.prefix for claim in (done, running, released, lost)}
        # Who lost the lease may renew it until the sweep, or commit without.
        assert collection.living(listed) == {done.prefix, running.prefix, lost.prefix}
        self.sweep(engine)
        assert collection.living(listed) == {done.prefix, running.prefix}

    def test_only_the_last_attempt_at_a_unit_lives(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        submit(ledger)
        first = self.take(ledger, claims)
        self.lose_worker(engine, first)
        second = self.take(ledger, claims)
        listed = {first.prefix, second.prefix}
        assert collection.living(listed) == {second.prefix}
        claims.commit(second, {}, items=10)
        assert collection.living(listed) == {second.prefix}

    def test_what_a_failed_job_has_done_lives_for_its_retry(
        self, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        job = submit(ledger, 3)
        done, running, failing = (self.take(ledger, claims) for _ in range(3))
        claims.commit(done, {}, items=10)
        claims.give_up(failing, SceneUnreadable("damaged"))
        listed = {done.prefix, running.prefix, failing.prefix}
        assert collection.living(listed) == {done.prefix}
        ledger.retry(job)
        assert collection.living(listed) == {done.prefix}

    def test_nothing_of_a_dismissed_job_lives(
        self, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        job = submit(ledger, 2)
        done, running = self.take(ledger, claims), self.take(ledger, claims)
        claims.commit(done, {}, items=10)
        ledger.dismiss(job)
        assert collection.living({done.prefix, running.prefix}) == set()

    def test_many_are_asked_for_at_once(
        self, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        submit(ledger)
        claim = self.take(ledger, claims)
        others = {f"parts/{number:04}/0/1/" for number in range(1200)}
        assert collection.living({claim.prefix} | others) == {claim.prefix}
        assert collection.living(set()) == set()

    def test_none_of_many_visible_parts_is_overlooked(
        self, engine: Engine, ledger: Ledger, collection: Collection
    ) -> None:
        submit(ledger, 1201)
        done = "parts/" + cast(Unit.position, String) + "/0/1/"
        with Session(engine) as session, session.begin():
            session.execute(update(Unit).values(state=UnitState.DONE, prefix=done))
        every = {f"parts/{number}/0/1/" for number in range(1201)}
        assert collection.living(every | {"parts/none/0/1/"}) == every

    # Dismissed jobs

    def test_a_dismissed_job_is_released_once(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        asked = submission(2)
        kept, job = submit(ledger), ledger.submit(asked)
        self.finish(ledger, claims)
        assert collection.dismissed() == []
        ledger.dismiss(job)
        assert collection.dismissed() == [(job, asked.content)]
        collection.released(job)
        assert collection.dismissed() == []
        assert self.units(engine, job) == []
        status = ledger.status(job)
        assert (status.state, status.items_done) == (JobState.DISMISSED, 20)
        assert len(ledger.parts(kept, "explain")) == 1

    def test_a_dismissed_job_waits_for_a_worker_that_may_still_write(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        job = submit(ledger)
        claim = self.take(ledger, claims)
        ledger.dismiss(job)
        collection.released(job)
        assert [found for found, _ in collection.dismissed()] == [job]
        self.meddle(engine, claim.unit_id, lease_until=1.0)
        collection.released(job)
        assert collection.dismissed() == []
        with pytest.raises(StaleClaim):
            claims.commit(claim, {}, items=10)

    # Old jobs

    def age(self, engine: Engine, seconds: float) -> None:
        with Session(engine) as session, session.begin():
            session.execute(
                update(Job).values(created=Job.created - seconds, finished=Job.finished - seconds)
            )

    def test_jobs_that_ended_long_ago_expire(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        done, failed = submit(ledger), submit(ledger)
        claims.give_up(self.take_of(ledger, claims, failed), SceneUnreadable("damaged"))
        self.finish(ledger, claims)
        running, waiting = submit(ledger), submit(ledger)
        self.take_of(ledger, claims, running)
        self.age(engine, 2 * DAY)
        recent = submit(ledger)
        claims.give_up(self.take_of(ledger, claims, recent), SceneUnreadable("damaged"))
        assert set(collection.expire(DAY)) == {done, failed}
        states = {status.id: status.state for status in ledger.jobs(limit=9)}
        assert states == {
            done: JobState.DISMISSED,
            failed: JobState.DISMISSED,
            running: JobState.RUNNING,
            waiting: JobState.ACCEPTED,
            recent: JobState.FAILED,
        }
        assert ledger.status(done).message == "expired"
        assert {job for job, _ in collection.dismissed()} == {done, failed}
        assert collection.expire(DAY) == []

    def test_a_tenant_may_have_its_own_time(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        names = ("harbour", "forest", "default")
        jobs = {name: ledger.submit(submission(tenant=name)) for name in names}
        self.finish(ledger, claims)
        self.age(engine, 2 * DAY)
        times = {"harbour": DAY, "forest": 3 * DAY}
        assert collection.expire(4 * DAY, times) == [jobs["harbour"]]
        assert collection.expire(DAY, times) == [jobs["default"]]
        assert ledger.status(jobs["forest"]).state is JobState.SUCCESSFUL

    def take_of(self, ledger: Ledger, claims: Claims, job: UUID):
        claim = claims.claim(self.units(ledger.database, job)[0].id, "worker")
        assert claim is not None
        return claim

    def test_jobs_that_are_dismissed_while_they_expire_are_no_error(
        self, engine: Engine, ledger: Ledger, claims: Claims, collection: Collection
    ) -> None:
        jobs = [submit(ledger) for _ in range(12)]
        self.finish(ledger, claims)
        self.age(engine, 2 * DAY)
        barrier = Barrier(2)

        def expire(_: int) -> list[UUID]:
            barrier.wait()
            return collection.expire(DAY)

        with ThreadPoolExecutor(2) as pool:
            expired = [job for found in pool.map(expire, range(2)) for job in found]
        assert sorted(expired) == sorted(jobs)
        assert {status.state for status in ledger.jobs(limit=99)} == {JobState.DISMISSED}


class TestOnSqlite(OnSqlite, CollectionSuite):
    pass
