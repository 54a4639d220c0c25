"""The ledger's transactions: claims, phases, errors, the sweep, dismissal and lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from geogaze.errors import (
    GeogazeError,
    IllegalTransition,
    JobNotFound,
    SceneUnreadable,
    ScratchUnusable,
    StaleClaim,
    StorageUnavailable,
)
from geogaze.ledger import retries
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from tests.unit.ledger.suite import (
    ATTEMPTS,
    LEASE,
    PLAN,
    OnSqlite,
    Suite,
    patience,
    submission,
    submit,
)


class LedgerSuite(Suite):
    """What every database must do."""

    # Submission

    def test_submit_writes_counts_and_the_units_of_the_first_phase(
        self, engine: Engine, ledger: Ledger
    ) -> None:
        before = self.clock(engine)
        job = submit(ledger, 3, calibrate=2, render=2)
        status = ledger.status(job)
        assert (status.state, status.phase) == (JobState.ACCEPTED, "explain")
        assert {phase: (c.total, c.remaining) for phase, c in status.phases.items()} == {
            "explain": (3, 3),
            "calibrate": (2, 2),
            "render": (2, 2),
            "publish": (1, 1),
        }
        assert before - 0.01 <= status.created <= self.clock(engine) + 0.01
        assert (status.items, status.items_done, status.progress) == (30, 0, 0)
        assert status.started is status.finished is status.problem is ledger.assets(job) is None
        units = self.units(engine, job)
        assert [(u.phase, u.position, u.state) for u in units] == [
            ("explain", position, UnitState.PENDING) for position in range(3)
        ]
        assert ledger.request(job) == {"scene": "port.tif"}

    def test_unknown_jobs_are_not_found(self, ledger: Ledger) -> None:
        asks = (ledger.status, ledger.request, ledger.assets, ledger.skipped, ledger.dismiss)
        for ask in asks:
            with pytest.raises(JobNotFound):
                ask(uuid4())

    # Claims

    def test_a_unit_goes_to_one_claimant(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        asked = submission()
        job = ledger.submit(asked)
        (unit,) = self.dispatch(ledger.database, 1)
        moment = self.clock(engine)
        claim = claims.claim(unit, "alice")
        assert claim is not None
        assert (claim.job_id, claim.phase, claim.position, claim.attempt) == (
            *(job, "explain", 0, 1),
        )
        assert claim.plan == PLAN
        assert claim.prefix == f"parts/{asked.content}/{unit}/1/"
        assert (claim.root, claim.rectangle, claim.failures) == (0, None, 0)
        assert claims.claim(unit, "bob") is None
        row = self.unit(engine, unit)
        assert (row.state, row.worker, row.token) == (UnitState.RUNNING, "alice", claim.token)
        assert row.lease_until == pytest.approx(moment + LEASE, abs=5)
        status = ledger.status(job)
        assert status.state is JobState.RUNNING
        assert status.started == pytest.approx(moment, abs=5)

    def test_a_hint_works_without_dispatch(self, ledger: Ledger, claims: Claims) -> None:
        submit(ledger)
        (unit,) = self.units(ledger.database)
        assert claims.claim(unit.id, "worker")

    def test_unknown_finished_and_early_units_are_not_to_be_had(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        assert claims.claim(uuid4(), "worker") is None
        submit(ledger, 2)
        done = self.take(ledger, claims)
        claims.commit(done, {}, items=1)
        assert claims.claim(done.unit_id, "worker") is None
        (early,) = self.dispatch(ledger.database, 1)
        self.meddle(engine, early, next_attempt_at=self.clock(engine) + 60)
        assert claims.claim(early, "worker") is None

    def test_starting_time_is_the_first_claim(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 2)
        self.take(ledger, claims)
        started = ledger.status(job).started
        self.take(ledger, claims)
        assert ledger.status(job).started == started

    def test_renew_pushes_the_lease_on(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger)
        claim = self.take(ledger, claims)
        self.meddle(engine, claim.unit_id, lease_until=1.0)
        claims.renew(claim)
        assert (self.unit(engine, claim.unit_id).lease_until or 0) > self.clock(engine) + LEASE / 2

    @pytest.mark.parametrize("step", ["commit", "give_up", "renew", "release"])
    def test_a_stale_claim_changes_nothing(
        self, engine: Engine, ledger: Ledger, claims: Claims, step: str
    ) -> None:
        submit(ledger)
        stale = self.take(ledger, claims)
        self.meddle(engine, stale.unit_id, lease_until=1.0)
        assert self.sweep(ledger.database) == 1
        fresh = self.take(ledger, claims)
        assert (fresh.unit_id, fresh.attempt) == (stale.unit_id, 2)
        assert fresh.prefix != stale.prefix
        before = self.snapshot(engine)
        steps = {
            "commit": lambda: claims.commit(stale, {"old": True}, items=5),
            "give_up": lambda: claims.give_up(stale, SceneUnreadable("gone")),
            "renew": lambda: claims.renew(stale),
            "release": lambda: claims.release(stale),
        }
        with pytest.raises(StaleClaim):
            steps[step]()
        assert self.snapshot(engine) == before
        claims.commit(fresh, {}, items=5)

    def test_a_second_commit_is_stale(self, engine: Engine, ledger: Ledger, claims: Claims) -> None:
        submit(ledger, 2)
        claim = self.take(ledger, claims)
        claims.commit(claim, {}, items=5)
        before = self.snapshot(engine)
        with pytest.raises(StaleClaim):
            claims.commit(claim, {}, items=5)
        assert self.snapshot(engine) == before

    # Phases

    def test_the_last_commit_opens_the_next_phase(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2, calibrate=3)
        claims.commit(self.take(ledger, claims), {"seen": 4}, items=4)
        status = ledger.status(job)
        assert (status.phase, status.phases["explain"].remaining) == ("explain", 1)
        assert {unit.phase for unit in self.units(engine, job)} == {"explain"}
        claims.commit(self.take(ledger, claims), {"seen": 6}, items=6)
        status = ledger.status(job)
        assert (status.phase, status.state) == ("calibrate", JobState.RUNNING)
        assert (status.phases["explain"].remaining, status.items_done) == (0, 10)
        opened = [u for u in self.units(engine, job) if u.phase == "calibrate"]
        assert [(u.position, u.state) for u in opened] == [
            (position, UnitState.PENDING) for position in range(3)
        ]

    def test_empty_phases_are_skipped_and_the_last_brings_the_assets(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        claims.commit(self.take(ledger, claims), {}, items=10)
        assert ledger.status(job).phase == "publish"
        assert ledger.status(job).progress < 100
        assets = {"files": {"item": {"key": "k"}}, "skipped": []}
        claims.commit(self.take(ledger, claims), {"assets": assets}, items=0)
        status = ledger.status(job)
        assert (status.state, status.progress) == (JobState.SUCCESSFUL, 100)
        assert ledger.assets(job) == assets
        assert status.finished is not None
        assert status.finished >= (status.started or 0)
        assert {unit.state for unit in self.units(engine, job)} == {UnitState.DONE}
        assert self.dispatch(ledger.database, 9) == []
        assert Queue(ledger.database).next_due_in() is None

    def test_progress_never_falls(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 3, calibrate=2, render=2)
        seen = [0]
        while self.dispatch(ledger.database, 1):
            (unit,) = [u for u in self.units(ledger.database) if u.state is UnitState.DISPATCHED]
            claim = claims.claim(unit.id, "worker")
            assert claim is not None
            claims.commit(claim, {"assets": {}}, items=10)
            seen.append(ledger.status(job).progress)
        assert seen == sorted(seen)
        assert seen[-1] == 100
        assert max(seen[:-1]) < 100

    def test_parts_name_the_attempt_that_was_committed(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 3)
        first, second = self.take(ledger, claims), self.take(ledger, claims)
        self.meddle(engine, first.unit_id, lease_until=1.0)
        self.sweep(ledger.database)
        claims.commit(second, {"seen": 2}, items=0)
        again = self.take(ledger, claims)
        claims.commit(again, {"seen": 1}, items=0)
        parts = ledger.parts(job, "explain")
        assert again.prefix != first.prefix
        assert [(p.root, p.rectangle, p.prefix, p.result) for p in parts] == [
            (0, None, again.prefix, {"seen": 1}),
            (1, None, second.prefix, {"seen": 2}),
        ]
        assert ledger.parts(job, "calibrate") == []

    # Errors

    def test_what_a_retry_may_help_is_tried_later(
        self,
        engine: Engine,
        ledger: Ledger,
        claims: Claims,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ceilings = []

        def longest(low: float, high: float) -> float:
            assert low == 0  # full jitter
            ceilings.append(high)
            return high

        monkeypatch.setattr(retries.random, "uniform", longest)
        job = submit(ledger)
        claim = self.take(ledger, claims)
        moment = self.clock(engine)
        assert claims.give_up(claim, StorageUnavailable("S3 is away")) is True
        unit = self.unit(engine, claim.unit_id)
        assert unit.state is UnitState.PENDING
        assert unit.next_attempt_at > moment
        assert (unit.token, unit.lease_until, unit.error) == (None, None, "S3 is away")
        assert ledger.status(job).state is JobState.RUNNING
        assert self.dispatch(ledger.database, 9) == []
        assert claims.claim(claim.unit_id, "worker") is None
        assert 0 < (Queue(ledger.database).next_due_in() or 0) <= ceilings[0]
        self.meddle(engine, claim.unit_id, next_attempt_at=0.0)
        second = self.take(ledger, claims)
        assert second.attempt == 2
        claims.give_up(second, StorageUnavailable("S3 is away"))
        assert ceilings[1] > ceilings[0]

    def test_backoff_is_capped(
        self, ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ceilings: list[float] = []
        monkeypatch.setattr(
            retries.random, "uniform", lambda low, high: ceilings.append(high) or 0.0
        )
        patient = Claims(engine, lease_seconds=LEASE, patience=patience(1000))
        submit(ledger)
        claim = self.take(ledger, patient)
        self.meddle(engine, claim.unit_id, outages=500)
        patient.give_up(claim, StorageUnavailable("S3 is away"))
        assert ceilings == [60.0]

    @pytest.mark.parametrize("attempt", [1, ATTEMPTS])
    def test_permanent_errors_and_the_last_attempt_fail_the_job(
        self, engine: Engine, ledger: Ledger, claims: Claims, attempt: int
    ) -> None:
        job = submit(ledger, 2)
        claim = self.take(ledger, claims)
        error: GeogazeError = SceneUnreadable("port.tif is damaged")
        for _ in range(attempt - 1):
            error = ScratchUnusable("The disk is full")
            assert claims.give_up(claim, error) is True
            self.meddle(engine, claim.unit_id, next_attempt_at=0.0)
            claim = self.take(ledger, claims)
        assert claims.give_up(claim, error) is False
        status = ledger.status(job)
        assert (status.state, status.message) == (JobState.FAILED, str(error))
        assert status.problem == {
            "slug": error.slug,
            "title": error.title,
            "detail": str(error),
        }
        assert status.finished is not None
        assert self.unit(engine, claim.unit_id).state is UnitState.FAILED
        assert self.dispatch(ledger.database, 9) == []
        other = next(u for u in self.units(engine, job) if u.id != claim.unit_id)
        assert claims.claim(other.id, "worker") is None

    def test_a_failed_jobs_other_units_are_void(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 2)
        first, second = self.take(ledger, claims), self.take(ledger, claims)
        claims.give_up(first, SceneUnreadable("damaged"))
        with pytest.raises(StaleClaim):
            claims.commit(second, {}, items=3)
        with pytest.raises(StaleClaim):
            claims.give_up(second, SceneUnreadable("another reason"))
        status = ledger.status(job)
        assert (status.message, status.items_done) == ("damaged", 0)

    def test_a_released_unit_is_to_be_had_at_once(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        claim = self.take(ledger, claims)
        claims.release(claim)
        unit = self.unit(engine, claim.unit_id)
        assert (unit.state, unit.token, unit.lease_until) == (UnitState.PENDING, None, None)
        assert ledger.status(job).state is JobState.RUNNING
        again = self.take(ledger, claims)
        assert again.token != claim.token
        with pytest.raises(StaleClaim):
            claims.commit(claim, {}, items=0)

    def test_a_release_spends_no_attempt(self, ledger: Ledger, claims: Claims) -> None:
        submit(ledger)
        for _ in range(ATTEMPTS):
            claims.release(self.take(ledger, claims))
        claim = self.take(ledger, claims)
        assert claims.give_up(claim, StorageUnavailable("S3 is away")) is True

    # Dismissal

    @pytest.mark.parametrize("state", list(JobState))
    def test_dismissal(
        self, engine: Engine, ledger: Ledger, claims: Claims, state: JobState
    ) -> None:
        job = submit(ledger)
        if state is not JobState.ACCEPTED:
            claim = self.take(ledger, claims)
        if state is JobState.SUCCESSFUL:
            claims.commit(claim, {}, items=1)
            claims.commit(self.take(ledger, claims), {"assets": {"files": {}}}, items=0)
        elif state is JobState.FAILED:
            claims.give_up(claim, SceneUnreadable("damaged"))
        elif state is JobState.DISMISSED:
            ledger.dismiss(job)
            with pytest.raises(IllegalTransition):
                ledger.dismiss(job)
        before = ledger.status(job)
        assert before.state is state
        if state is JobState.DISMISSED:
            return
        status = ledger.dismiss(job)
        assert (status.state, ledger.assets(job)) == (JobState.DISMISSED, None)
        assert status.finished is not None
        if before.finished is not None:
            assert status.finished == before.finished
        assert self.dispatch(ledger.database, 9) == []
        assert Queue(ledger.database).next_due_in() is None
        if state is JobState.RUNNING:
            for late in (
                lambda: claims.commit(claim, {}, items=1),
                lambda: claims.give_up(claim, SceneUnreadable("damaged")),
                lambda: claims.renew(claim),
            ):
                with pytest.raises(StaleClaim):
                    late()
            assert ledger.status(job).items_done == 0
        assert ledger.status(job).state is JobState.DISMISSED

    # Lists

    def test_jobs_pages_newest_first(self, ledger: Ledger) -> None:
        jobs = [submit(ledger) for _ in range(5)]
        self.spread(ledger.database, jobs)
        newest = jobs[::-1]
        pages = [[j.id for j in ledger.jobs(limit=2, offset=offset)] for offset in (0, 2, 4, 6)]
        assert pages == [newest[:2], newest[2:4], newest[4:], []]

    def test_jobs_filters(self, ledger: Ledger, claims: Claims) -> None:
        jobs = [submit(ledger) for _ in range(4)]
        self.spread(ledger.database, jobs)
        ledger.dismiss(jobs[1])
        for _ in jobs[1:]:
            self.take(ledger, claims)

        def ids(**wanted: Any) -> set[UUID]:
            return {status.id for status in ledger.jobs(limit=9, **wanted)}

        assert ids(states=[JobState.DISMISSED]) == {jobs[1]}
        assert ids(states=[JobState.DISMISSED, JobState.RUNNING]) == set(jobs)
        assert ids(states=[JobState.FAILED]) == set()
        assert ids(processes=["explain"]) == set(jobs)
        assert ids(processes=["other"]) == set()
        assert ids(created_from=102.0) == set(jobs[2:])
        assert ids(created_to=102.0) == set(jobs[:3])
        assert ids(created_from=101.5, created_to=102.5) == {jobs[2]}
        assert ids(created_from=102.0, states=[JobState.DISMISSED]) == set()

    def spread(self, engine: Engine, jobs: list[UUID]) -> None:
        """Submission times 100, 101, …"""
        with Session(engine) as session, session.begin():
            for moment, job in zip(count(100), jobs, strict=False):
                session.execute(update(Job).where(Job.id == job).values(created=float(moment)))

    def test_speed_and_headline_tell_where_a_job_stands(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2, calibrate=2)
        assert ledger.status(job).items_per_second is None
        claims.commit(self.take(ledger, claims), {}, items=10)
        status = ledger.status(job)
        assert status.headline == "explaining: 10 of 20 tiles"
        claims.commit(self.take(ledger, claims), {}, items=10)
        assert ledger.status(job).headline == "blending and calibrating layer 1 of 2"
        self.finish(ledger, claims)
        status = ledger.status(job)
        assert status.started is not None
        assert status.finished is not None
        ran = max(status.finished - status.started, 1e-3)
        assert status.items_per_second == pytest.approx(20 / ran)

    # Many at once

    def test_eight_threads_and_one_winner_for_each_unit(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        units, threads = 12, 8
        job = submit(ledger, units, calibrate=2)
        wanted = self.dispatch(ledger.database, units)
        barrier = Barrier(threads)

        def work(number: int) -> list[Claim]:
            barrier.wait()
            won = [c for unit in wanted if (c := claims.claim(unit, str(number)))]
            for claim in won:
                claims.commit(claim, {"by": number}, items=1)
            return won

        with ThreadPoolExecutor(threads) as pool:
            winners = [claim for won in pool.map(work, range(threads)) for claim in won]
        assert sorted(claim.unit_id for claim in winners) == sorted(wanted)
        assert {claim.attempt for claim in winners} == {1}
        status = ledger.status(job)
        assert (status.phases["explain"].remaining, status.items_done) == (0, units)
        assert status.phase == "calibrate"
        opened = [u for u in self.units(engine, job) if u.phase == "calibrate"]
        assert [u.position for u in opened] == [0, 1]

    def test_dismissal_and_commits_at_once_leave_one_truth(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        for _ in range(5):
            job = submit(ledger, 4)
            held = [self.take(ledger, claims) for _ in range(4)]
            barrier = Barrier(5)

            def commit(claim: Claim, barrier: Barrier = barrier) -> int:
                barrier.wait()
                try:
                    claims.commit(claim, {}, items=1)
                except StaleClaim:
                    return 0
                return 1

            def dismiss(job: UUID = job, barrier: Barrier = barrier) -> int:
                barrier.wait()
                ledger.dismiss(job)
                return 0

            with ThreadPoolExecutor(5) as pool:
                work = [pool.submit(commit, claim) for claim in held]
                pool.submit(dismiss).result()
                committed = sum(future.result() for future in work)
            status = ledger.status(job)
            assert status.state is JobState.DISMISSED
            assert status.items_done == committed
            assert status.phases["explain"].remaining == 4 - committed


class TestOnSqlite(OnSqlite, LedgerSuite):
    pass
