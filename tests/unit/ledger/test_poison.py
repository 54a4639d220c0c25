"""Units that keep failing: split, skipped or the end of their job; and jobs tried again."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine

from geogaze.errors import (
    GeogazeError,
    HostOutOfMemory,
    IllegalTransition,
    SceneUnreachable,
    SceneUnreadable,
    ScratchUnusable,
    StaleClaim,
    StorageUnavailable,
    UnitBroke,
    WorkerLost,
)
from geogaze.grid.rectangles import Division
from geogaze.ledger.claims import Claims
from geogaze.ledger.retries import POLICIES
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.store import Ledger
from tests.unit.ledger.suite import (
    ATTEMPTS,
    OnSqlite,
    Suite,
    columns_of,
    phases,
    submission,
    submit,
)


class PoisonSuite(Suite):
    def check_tiles(self, ledger: Ledger, job: UUID) -> None:
        """Every tile has one unit that is not split, and the counts agree."""
        status = ledger.status(job)
        units = [u for u in self.units(ledger.database, job) if u.phase == "explain"]
        whole = [unit for unit in units if unit.state is not UnitState.SPLIT]
        columns = [col for unit in whole for col in range(*columns_of(unit))]
        assert sorted(columns) == list(range(status.items))
        settled = [unit for unit in whole if unit.state in {UnitState.DONE, UnitState.SKIPPED}]
        count = status.phases["explain"]
        assert (count.total, count.remaining) == (len(whole), len(whole) - len(settled))
        assert count.items_done == sum(end - start for start, end in map(columns_of, settled))

    # Splits

    def test_a_unit_that_keeps_losing_its_worker_is_split(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 2)
        for spent in range(ATTEMPTS):
            claim = self.take(ledger, claims)
            assert (claim.position, claim.failures) == (0, spent)
            assert self.lose_worker(engine, claim) == 1
        units = self.units(engine, job)
        assert [(u.position, u.root, u.state, u.rectangle) for u in units] == [
            (0, 0, UnitState.SPLIT, None),
            (1, 1, UnitState.PENDING, None),
            (2, 0, UnitState.PENDING, [0, 0, 1, 5]),
            (3, 0, UnitState.PENDING, [0, 5, 1, 10]),
        ]
        assert units[0].token is units[0].lease_until is None
        status = ledger.status(job)
        assert status.state is JobState.RUNNING
        assert "lost its worker (worker), 3 times by now" in (status.last_error or "")
        self.check_tiles(ledger, job)
        half = self.take(ledger, claims)
        assert (half.root, half.rectangle, half.attempt) == (0, (0, 5, 1, 10), 1)
        assert ATTEMPTS - half.failures == 2, "halves have two tries"
        for _ in range(2):
            self.lose_worker(engine, half)
            half = self.take(ledger, claims)
        assert half.rectangle == (0, 7, 1, 10)
        self.check_tiles(ledger, job)

    def test_a_last_try_is_for_who_is_alone(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        submit(ledger)
        for _ in range(ATTEMPTS - 1):
            (unit,) = self.dispatch(engine, 1)
            assert not claims.is_last_try(unit)
            claim = claims.claim(unit, "worker", in_company=True)
            assert claim is not None
            self.lose_worker(engine, claim)
            self.make_due(engine)
        (unit,) = self.dispatch(engine, 1)
        assert claims.claim(unit, "worker", in_company=True) is None
        assert claims.is_last_try(unit)
        assert claims.claim(unit, "worker") is not None
        assert not claims.is_last_try(unit), "it is not to be had any more"

    def test_the_last_try_fails_the_job_that_has_no_tiles_to_spare(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job, other = submit(ledger), submit(ledger)
        self.meddle(engine, self.units(engine, other)[0].id, next_attempt_at=9e9)
        self.finish(ledger, claims, 1)
        for _ in range(ATTEMPTS):
            claim = self.take(ledger, claims)
            assert claim.phase == "publish"
            self.lose_worker(engine, claim)
        status = ledger.status(job)
        assert status.state is JobState.FAILED
        assert f"lost its worker (worker), {ATTEMPTS} times" in status.message
        assert status.problem is not None
        assert status.problem["detail"] == status.message
        assert self.unit(engine, claim.unit_id).state is UnitState.FAILED
        assert self.dispatch(engine, 9) == []
        assert claims.claim(claim.unit_id, "worker") is None
        assert ledger.status(other).state is JobState.ACCEPTED

    @pytest.mark.parametrize("error", [UnitBroke("broke"), HostOutOfMemory("full")])
    def test_what_no_retry_helps_is_split_at_once(
        self, ledger: Ledger, claims: Claims, error: GeogazeError
    ) -> None:
        job = submit(ledger)
        claims.give_up(self.take(ledger, claims), error)
        assert ledger.status(job).phases["explain"].total == 2
        self.check_tiles(ledger, job)

    @pytest.mark.parametrize("error", [SceneUnreachable("timeout"), ScratchUnusable("full")])
    def test_only_what_tiles_may_cause_is_split(
        self, engine: Engine, ledger: Ledger, claims: Claims, error: GeogazeError
    ) -> None:
        job = submit(ledger)
        for _ in range(ATTEMPTS):
            claim = self.take(ledger, claims)
            claims.give_up(claim, error)
            self.make_due(engine)
        split = self.unit(engine, claim.unit_id).state is UnitState.SPLIT
        assert split is POLICIES[error.retry].divides
        assert (ledger.status(job).state is JobState.RUNNING) is POLICIES[error.retry].divides

    def test_an_outage_spends_no_try_but_not_for_ever(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger)
        tries = 0
        while ledger.status(job).state is not JobState.FAILED:
            claim = self.take(ledger, claims)
            claims.give_up(claim, StorageUnavailable("away"))
            tries += 1
            assert self.unit(engine, claim.unit_id).failures == 0
            self.make_due(engine)
        assert tries == 4 * ATTEMPTS
        assert ledger.status(job).phases["explain"].total == 1

    @pytest.mark.parametrize(
        ("told", "tries_wanted"),
        [
            ([UnitBroke(f"broke {n}") for n in range(ATTEMPTS)], ATTEMPTS),
            ([HostOutOfMemory("full")] * ATTEMPTS, ATTEMPTS),
            # The same words again: it is no chance.
            ([UnitBroke("broke")] * ATTEMPTS, 2),
        ],
        ids=["chance", "memory", "bug"],
    )
    def test_what_cannot_be_divided_is_tried_again_instead(
        self,
        engine: Engine,
        ledger: Ledger,
        claims: Claims,
        told: list[GeogazeError],
        tries_wanted: int,
    ) -> None:
        job = submit(ledger)
        self.finish(ledger, claims, 1)
        tries = [claims.give_up(self.take(ledger, claims), told[0])]
        assert any(unit.next_attempt_at for unit in self.units(engine, job))  # after a while
        for error in told[1:tries_wanted]:
            self.make_due(engine)
            tries.append(claims.give_up(self.take(ledger, claims), error))
        assert tries == [True] * (tries_wanted - 1) + [False]
        assert ledger.status(job).message == str(told[tries_wanted - 1])

    def test_units_at_the_edge_are_split_as_far_as_they_reach(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission(phases=phases(6, grid=Division(5, 7, 3))))
        corner = self.units(engine, job)[5]
        claim = claims.claim(corner.id, "worker")
        assert claim is not None
        claims.give_up(claim, UnitBroke("broke"))
        windows = [unit.rectangle for unit in self.units(engine, job) if unit.rectangle]
        assert windows == [[3, 6, 4, 7], [4, 6, 5, 7]]

    # Single tiles

    def test_a_tile_that_fails_is_named(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger, 2)
        self.poison(ledger, claims, job, bad={13})
        status = ledger.status(job)
        assert status.state is JobState.FAILED
        assert status.message == "Tile (row 0, column 13): killed"
        assert status.problem == {
            "slug": WorkerLost.slug,
            "title": WorkerLost.title,
            "detail": status.message,
        }
        self.check_tiles(ledger, job)

    @pytest.mark.parametrize("bad", [{3}, {3, 4, 17}, set(range(20))])
    def test_tiles_that_fail_are_skipped_where_asked(
        self, ledger: Ledger, claims: Claims, bad: set[int]
    ) -> None:
        job = ledger.submit(submission(2, skips=True))
        self.poison(ledger, claims, job, bad)
        status = ledger.status(job)
        assert status.state is JobState.SUCCESSFUL
        skipped = ledger.skipped(job)
        assert {columns_of(tile) for tile in skipped} == {(col, col + 1) for col in bad}
        assert {tile.error for tile in skipped} == {"killed"}
        explained = {c for p in ledger.parts(job, "explain") for c in range(*columns_of(p))}
        assert explained == set(range(20)) - bad
        assert (status.items_done, status.progress) == (20, 100)
        self.check_tiles(ledger, job)

    def test_an_error_that_is_no_tiles_fault_skips_nothing(
        self, ledger: Ledger, claims: Claims
    ) -> None:
        job = ledger.submit(submission(skips=True))
        claims.give_up(self.take(ledger, claims), SceneUnreadable("damaged"))
        assert ledger.status(job).state is JobState.FAILED
        assert ledger.skipped(job) == []

    # Retries

    def test_a_retry_redoes_only_what_is_missing(
        self, engine: Engine, ledger: Ledger, claims: Claims
    ) -> None:
        job = submit(ledger, 4)
        self.finish(ledger, claims, 2)
        failing, late = self.take(ledger, claims), self.take(ledger, claims)
        claims.give_up(failing, SceneUnreadable("damaged"))
        done = {u.id: vars(u) for u in self.units(engine, job) if u.state is UnitState.DONE}
        status = ledger.retry(job)
        assert (status.state, status.items_done) == (JobState.RUNNING, 20)
        assert status.problem is status.finished is None
        for old in (failing, late):
            unit = self.unit(engine, old.unit_id)
            assert (unit.state, unit.failures, unit.attempt) == (UnitState.PENDING, 0, 1)
            with pytest.raises(StaleClaim):
                claims.commit(old, {}, items=10)
        again = self.take(ledger, claims)
        assert again.attempt == 2
        assert again.prefix not in {failing.prefix, late.prefix}
        claims.commit(again, {}, items=10)
        self.finish(ledger, claims)
        status = ledger.status(job)
        assert (status.state, status.items_done) == (JobState.SUCCESSFUL, 40)
        for unit in self.units(engine, job):
            if unit.id in done:
                before = done[unit.id]
                assert (unit.attempt, unit.result) == (before["attempt"], before["result"])

    def test_a_retry_goes_on_with_what_was_split(self, ledger: Ledger, claims: Claims) -> None:
        job = submit(ledger)
        self.poison(ledger, claims, job, bad={6})
        ledger.retry(job)
        self.check_tiles(ledger, job)
        self.poison(ledger, claims, job, bad=set())
        assert ledger.status(job).state is JobState.SUCCESSFUL
        self.check_tiles(ledger, job)

    @pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.FAILED])
    def test_only_failed_jobs_are_retried(
        self, engine: Engine, ledger: Ledger, claims: Claims, state: JobState
    ) -> None:
        job = submit(ledger)
        match state:
            case JobState.RUNNING:
                self.take(ledger, claims)
            case JobState.SUCCESSFUL:
                self.finish(ledger, claims)
            case JobState.DISMISSED:
                ledger.dismiss(job)
        assert ledger.status(job).state is state
        before = self.snapshot(engine)
        with pytest.raises(IllegalTransition, match=f"{job} is {state}"):
            ledger.retry(job)
        assert self.snapshot(engine) == before


class TestOnSqlite(OnSqlite, PoisonSuite):
    pass
