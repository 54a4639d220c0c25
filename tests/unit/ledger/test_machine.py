"""Any sequence of what users, workers, crashes and the sweep do leaves the ledger sound."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)
from sqlalchemy import Engine, case, select, update
from sqlalchemy.orm import Session

from geogaze.errors import (
    GeogazeError,
    IllegalTransition,
    SceneUnreadable,
    StaleClaim,
    StorageUnavailable,
    UnitBroke,
)
from geogaze.grid.rectangles import Division
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.database import connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim, JobStatus
from geogaze.ledger.states import OPEN_JOB, SETTLED_UNIT, JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.submission import Submission
from geogaze.ledger.tables import Job, Unit
from tests.unit.ledger.suite import patience, phases

ATTEMPTS = 3
LIMIT = 3
SIDE = 3  # of a unit: at most three tiles in a row
WAYS = ["commit", "commit", "commit", "release", "retry", "fail", "split", "split", "split"]
OVER = {*SETTLED_UNIT, UnitState.FAILED}
COUNTED = {UnitState.DONE, UnitState.SKIPPED}
ERRORS: dict[str, GeogazeError] = {
    "retry": StorageUnavailable("away"),
    "fail": SceneUnreadable("damaged"),
    "split": UnitBroke("broke"),
}


class LedgerMachine(RuleBasedStateMachine):
    """``live`` models who holds each unit: the claim last granted and not yet lost."""

    jobs: Bundle[UUID] = Bundle("jobs")
    held: Bundle[Claim] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.engine = self.make_engine()
        self.ledger = Ledger(self.engine)
        self.queue = Queue(self.engine)
        self.collection = Collection(self.engine)
        self.claims = Claims(self.engine, lease_seconds=1000, patience=patience(ATTEMPTS))
        self.live: dict[UUID, Claim] = {}
        self.dismissed: set[UUID] = set()
        self.released: set[UUID] = set()
        self.submitted = 0.0
        self.settled: dict[UUID, tuple[Any, ...]] = {}
        self.attempts: dict[UUID, int] = {}
        self.dead: set[str] = set()

    def make_engine(self) -> Engine:
        """An engine on empty tables."""
        self.folder = Path(tempfile.mkdtemp())
        engine = connect(f"sqlite:///{self.folder / 'ledger.db'}")
        Ledger(engine).create_tables()
        return engine

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    # What happens

    @rule(
        target=jobs,
        explain=st.integers(1, 2),
        calibrate=st.integers(0, 2),
        skips=st.booleans(),
    )
    def submit(self, explain: int, calibrate: int, skips: bool) -> UUID:
        """Jobs of one content differ in their later phases alone."""
        content = f"{explain}-{skips}"
        grid = Division(1, SIDE * explain - 1, SIDE)
        plan = phases(explain, calibrate=calibrate, grid=grid, skips=skips)
        before = [
            self.ledger.status(job)
            for job, other in self.contents().items()
            if other == content and job not in self.dismissed
        ]
        job = self.ledger.submit(Submission({}, {}, plan, content, "explain"))
        status = self.ledger.status(job)
        # Of jobs that have done any, that with the fewest units left; after splits they are small.
        counts = [b.phases["explain"] for b in before]
        begun = [count.remaining for count in counts if count.remaining < count.total]
        assert status.phases["explain"].remaining == min(begun, default=explain)
        assert status.items_reused == status.items_done
        assert status.items_reused in {0, *(b.items_done for b in before)}
        with Session(self.engine) as session, session.begin():
            # The clock ticks in milliseconds; ties would make runs differ.
            self.submitted += 1
            session.execute(update(Job).where(Job.id == job).values(created=self.submitted))
        return job

    @rule()
    def dispatch(self) -> None:
        waiting = sum(
            unit.state is UnitState.DISPATCHED and self.ledger.status(unit.job_id).state in OPEN_JOB
            for unit in self.units()
        )
        sent = [message.unit for message in self.queue.dispatch(LIMIT)]
        assert len(set(sent)) == len(sent) <= max(0, LIMIT - waiting)
        states = {unit.id: unit.state for unit in self.units()}
        assert all(states[unit] is UnitState.DISPATCHED for unit in sent)

    @rule(target=held, choice=st.integers(0, 100))
    def claim(self, choice: int) -> Any:
        """Any unit: messages come late, twice, or for what is long done."""
        units = self.units()
        if not units:
            return multiple()
        unit = units[choice % len(units)]
        free = self.is_free(unit)
        claim = self.claims.claim(unit.id, "worker")
        assert (claim is not None) == free
        if claim is None:
            return multiple()
        self.granted(claim)
        return claim

    @rule(job=jobs, ways=st.lists(st.sampled_from(WAYS), min_size=1, max_size=9))
    def work(self, job: UUID, ways: list[str]) -> None:
        """A worker that stays at one job for a while."""
        for way in ways:
            if unit := next((u for u in self.units() if u.job_id == job and self.is_free(u)), None):
                claim = self.claims.claim(unit.id, "worker")
                assert claim is not None
                self.granted(claim)
                self.hand_in(claim, way)

    @rule(claim=consumes(held), how=st.sampled_from(WAYS))
    def hand_in(self, claim: Claim, how: str) -> None:
        valid = self.live.get(claim.unit_id) == claim and self.is_open(claim.job_id)
        before = self.rows()
        try:
            match how:
                case "commit":
                    tiles = self.tiles(claim) if claim.phase == "explain" else []
                    self.claims.commit(claim, {"assets": {"files": {}}}, items=len(tiles))
                case "release":
                    self.claims.release(claim)
                case _:
                    self.claims.give_up(claim, ERRORS[how])
        except StaleClaim:
            assert not valid
            assert self.rows() == before
            return
        assert valid
        del self.live[claim.unit_id]
        self.wait_out_backoff()

    @rule(claim=held)
    def renew(self, claim: Claim) -> None:
        valid = self.live.get(claim.unit_id) == claim and self.is_open(claim.job_id)
        with contextlib.suppress(StaleClaim):
            self.claims.renew(claim)
            assert valid
            return
        assert not valid

    @rule(claim=held)
    def vanish(self, claim: Claim) -> None:
        """The worker of a unit dies: its lease runs out."""
        with Session(self.engine) as session, session.begin():
            session.execute(
                update(Unit)
                .where(Unit.id == claim.unit_id, Unit.token == claim.token)
                .values(lease_until=1.0)
            )

    @rule(messages_lost=st.booleans())
    def sweep(self, messages_lost: bool) -> None:
        before = {unit.id: unit for unit in self.units()}
        self.queue.sweep(
            redeliver_seconds=-1 if messages_lost else 1000, patience=patience(ATTEMPTS)
        )
        for unit in self.units():
            if (old := before.get(unit.id)) is None:
                assert unit.rectangle, "only halves are new"
                continue
            expired = old.state is UnitState.RUNNING and old.lease_until == 1.0
            lost = old.state is UnitState.DISPATCHED and messages_lost
            if expired:
                self.live.pop(unit.id, None)
                assert unit.token is None
            assert (unit.state is not old.state) == (expired or lost)

    @rule(job=jobs, chance=st.integers(0, 3))
    def dismiss(self, job: UUID, chance: int) -> None:
        if chance:
            return  # most jobs are left in peace
        try:
            self.ledger.dismiss(job)
        except IllegalTransition:
            assert job in self.dismissed
            return
        assert job not in self.dismissed
        self.dismissed.add(job)

    @rule(job=jobs)
    def retry(self, job: UUID) -> None:
        before = self.ledger.status(job)
        if before.state is not JobState.FAILED:
            with contextlib.suppress(IllegalTransition):
                self.ledger.retry(job)
                raise AssertionError("only failed jobs are retried")
            return
        status = self.ledger.retry(job)
        assert status.phases == before.phases, "what is done stays"
        for unit in self.units():
            if unit.job_id == job:
                self.live.pop(unit.id, None)
                assert unit.state in {*SETTLED_UNIT, UnitState.PENDING}

    @rule()
    def collect(self) -> None:
        """What the sweeper finds dead stays dead; it releases what was dismissed."""
        prefixes = {unit.prefix for unit in self.units() if unit.prefix}
        self.dead |= prefixes - self.collection.living(prefixes)
        for job, _ in self.collection.dismissed():
            assert job in self.dismissed - self.released
            self.collection.released(job)
            if not any(unit.job_id == job for unit in self.units()):
                self.released.add(job)

    # What always holds

    @invariant()
    def the_ledger_is_sound(self) -> None:
        units, statuses = self.units(), self.ledger.jobs(limit=1000)
        self.tokens_are_held_by_running_units_alone(units)
        self.what_is_settled_never_changes(units)
        self.what_is_visible_or_being_made_is_not_collected(units, statuses)
        for status in statuses:
            self.successful_exactly_when_nothing_is_left(status)
            if status.id in self.released:
                continue
            own = [unit for unit in units if unit.job_id == status.id]
            self.counts_agree_with_units(status, own)
            self.every_tile_is_of_one_unit(status, own)
            self.a_phase_opens_when_all_before_it_are_over(status, own)
            if status.state in OPEN_JOB:
                assert any(unit.state not in OVER for unit in own), "it is stuck"
            failed = any(unit.state is UnitState.FAILED for unit in own)
            assert not failed or status.state in {JobState.FAILED, JobState.DISMISSED}

    def counts_agree_with_units(self, status: JobStatus, units: list[Unit]) -> None:
        for phase, count in status.phases.items():
            opened = [u for u in units if u.phase == phase and u.state is not UnitState.SPLIT]
            settled = [unit for unit in opened if unit.state in COUNTED]
            assert len(opened) in {0, count.total}
            assert count.remaining == count.total - len(settled)
            if phase == "explain":
                assert count.items_done == sum(len(self.tiles(unit)) for unit in settled)
                assert count.items_reused <= count.items_done

    def every_tile_is_of_one_unit(self, status: JobStatus, units: list[Unit]) -> None:
        whole = [u for u in units if u.phase == "explain" and u.state is not UnitState.SPLIT]
        columns = sorted(column for unit in whole for column in self.tiles(unit))
        assert columns == list(range(status.items))

    def a_phase_opens_when_all_before_it_are_over(
        self, status: JobStatus, units: list[Unit]
    ) -> None:
        order = list(status.phases)
        for opened in {unit.phase for unit in units}:
            for earlier in order[: order.index(opened)]:
                assert status.phases[earlier].remaining == 0

    def successful_exactly_when_nothing_is_left(self, status: JobStatus) -> None:
        over = all(count.remaining == 0 for count in status.phases.values())
        if status.id in self.dismissed:
            assert status.state is JobState.DISMISSED
        else:
            assert (status.state is JobState.SUCCESSFUL) == over
        assert (status.finished is None) == (status.state in OPEN_JOB)

    def tokens_are_held_by_running_units_alone(self, units: list[Unit]) -> None:
        for unit in units:
            assert (unit.token is not None) == (unit.state is UnitState.RUNNING)
            if unit.token is not None:
                assert self.live[unit.id].token == unit.token

    def what_is_settled_never_changes(self, units: list[Unit]) -> None:
        for unit in units:
            if unit.state in SETTLED_UNIT:
                facts = (unit.state, unit.attempt, unit.prefix, unit.result, unit.error)
                assert self.settled.setdefault(unit.id, facts) == facts
            else:
                assert unit.id not in self.settled

    def what_is_visible_or_being_made_is_not_collected(
        self, units: list[Unit], statuses: list[JobStatus]
    ) -> None:
        states = {status.id: status.state for status in statuses}
        needed = {
            unit.prefix or "no prefix"
            for unit in units
            if (unit.state is UnitState.DONE and states[unit.job_id] is not JobState.DISMISSED)
            or (unit.state is UnitState.RUNNING and states[unit.job_id] in OPEN_JOB)
        }
        prefixes = {unit.prefix for unit in units if unit.prefix}
        assert self.collection.living(prefixes) == needed
        assert not needed & self.dead

    # Past the ledger

    def granted(self, claim: Claim) -> None:
        assert claim.attempt > self.attempts.get(claim.unit_id, 0), "attempts never repeat"
        self.attempts[claim.unit_id] = claim.attempt
        self.live[claim.unit_id] = claim

    def tiles(self, unit: Unit | Claim) -> list[int]:
        """The columns of an explain unit."""
        if unit.rectangle:
            return list(range(unit.rectangle[1], unit.rectangle[3]))
        start = SIDE * unit.root
        return list(range(start, min(start + SIDE, self.ledger.status(unit.job_id).items)))

    def contents(self) -> dict[UUID, str]:
        with Session(self.engine) as session:
            return {row.id: row.content for row in session.execute(select(Job.id, Job.content))}

    def units(self) -> list[Unit]:
        with Session(self.engine) as session:
            # As they came to be: ids are random, and runs must repeat.
            order = case({phase.name: n for n, phase in enumerate(phases())}, value=Unit.phase)
            query = select(Unit).join(Job, Job.id == Unit.job_id)
            found = session.scalars(query.order_by(Job.created, order, Unit.position)).all()
            session.expunge_all()
            return list(found)

    def rows(self) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [
                tuple(row)
                for table in Job.metadata.sorted_tables
                for row in connection.execute(select(table).order_by(*table.primary_key))
            ]

    def is_free(self, unit: Unit) -> bool:
        return unit.state in {UnitState.PENDING, UnitState.DISPATCHED} and self.is_open(unit.job_id)

    def is_open(self, job: UUID) -> bool:
        return self.ledger.status(job).state in OPEN_JOB

    def wait_out_backoff(self) -> None:
        with Session(self.engine) as session, session.begin():
            session.execute(update(Unit).values(next_attempt_at=0.0))


def steps(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


LedgerMachine.TestCase.settings = steps(15)
TestLedgerMachine = LedgerMachine.TestCase
