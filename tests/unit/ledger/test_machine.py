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
from sqlalchemy import literal_column, select, update
from sqlalchemy.orm import Session

from geogaze.errors import IllegalTransition, SceneUnreadable, StaleClaim, StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import connect
from geogaze.ledger.records import Claim, JobStatus
from geogaze.ledger.states import OPEN_JOB, JobState, Phase, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Unit

ATTEMPTS = 3
LIMIT = 3
ENDED_UNIT = {UnitState.DONE, UnitState.FAILED}


class LedgerMachine(RuleBasedStateMachine):
    """``live`` models who holds each unit: the claim last granted and not yet lost."""

    jobs: Bundle[UUID] = Bundle("jobs")
    held: Bundle[Claim] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = connect(f"sqlite:///{self.folder / 'ledger.db'}")
        self.ledger = Ledger(self.engine)
        self.ledger.create_tables()
        self.claims = Claims(self.engine, lease_seconds=1000, max_attempts=ATTEMPTS)
        self.live: dict[UUID, Claim] = {}
        self.dismissed: set[UUID] = set()
        self.submitted = 0.0
        self.finished: dict[UUID, tuple[Any, ...]] = {}

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    # What happens

    @rule(target=jobs, explain=st.integers(1, 3), calibrate=st.integers(0, 2))
    def submit(self, explain: int, calibrate: int) -> UUID:
        units = {
            Phase.EXPLAIN: explain,
            Phase.CALIBRATE: calibrate,
            Phase.RENDER: 0,
            Phase.PUBLISH: 1,
        }
        job = self.ledger.submit({}, {}, tiles=explain, units=units)
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
        sent = self.ledger.dispatch(LIMIT)
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
        open_job = self.ledger.status(unit.job_id).state in OPEN_JOB
        claim = self.claims.claim(unit.id, "worker")
        free = unit.state in {UnitState.PENDING, UnitState.DISPATCHED}
        assert (claim is not None) == (free and open_job)
        if claim is None:
            return multiple()
        assert claim.attempt >= 1
        self.live[claim.unit_id] = claim
        return claim

    @rule(claim=consumes(held), how=st.sampled_from(["commit", "retry", "fail", "release"]))
    def hand_in(self, claim: Claim, how: str) -> None:
        valid = self.live.get(claim.unit_id) == claim and self.is_open(claim.job_id)
        before = self.rows()
        try:
            match how:
                case "commit":
                    self.claims.commit(claim, {"assets": {"files": {}}}, tiles=1)
                case "retry":
                    self.claims.give_up(claim, StorageUnavailable("away"))
                case "fail":
                    self.claims.give_up(claim, SceneUnreadable("damaged"))
                case "release":
                    self.claims.release(claim)
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
        self.ledger.sweep(redeliver_seconds=-1 if messages_lost else 1000, max_attempts=ATTEMPTS)
        for unit in self.units():
            old = before[unit.id]
            expired = old.state is UnitState.RUNNING and old.lease_until == 1.0
            lost = old.state is UnitState.DISPATCHED and messages_lost
            if expired:
                self.live.pop(unit.id, None)
                assert unit.token is None
                if old.attempt >= ATTEMPTS:
                    assert not self.is_open(unit.job_id)
            assert (unit.state is not old.state) == (expired or lost)

    @rule(job=jobs)
    def dismiss(self, job: UUID) -> None:
        try:
            self.ledger.dismiss(job)
        except IllegalTransition:
            assert job in self.dismissed
            return
        assert job not in self.dismissed
        self.dismissed.add(job)

    # What always holds

    @invariant()
    def the_ledger_is_sound(self) -> None:
        units, statuses = self.units(), self.ledger.jobs(limit=1000)
        self.tokens_are_held_by_running_units_alone(units)
        self.what_is_over_never_changes(units)
        for status in statuses:
            own = [unit for unit in units if unit.job_id == status.id]
            self.remaining_is_the_number_of_unfinished_units(status, own)
            self.a_phase_opens_when_all_before_it_are_over(status, own)
            self.successful_exactly_when_nothing_is_left(status)
            if status.state in OPEN_JOB:
                assert any(unit.state not in ENDED_UNIT for unit in own), "it is stuck"

    def remaining_is_the_number_of_unfinished_units(
        self, status: JobStatus, units: list[Unit]
    ) -> None:
        for phase, count in status.phases.items():
            opened = [unit for unit in units if unit.phase is phase]
            done = sum(unit.state is UnitState.DONE for unit in opened)
            assert len(opened) in {0, count.total}
            assert count.remaining == count.total - done

    def a_phase_opens_when_all_before_it_are_over(
        self, status: JobStatus, units: list[Unit]
    ) -> None:
        order = list(Phase)
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

    def what_is_over_never_changes(self, units: list[Unit]) -> None:
        for unit in units:
            if unit.state in ENDED_UNIT:
                facts = (unit.state, unit.attempt, unit.result, unit.worker, unit.error)
                assert self.finished.setdefault(unit.id, facts) == facts
            else:
                assert unit.id not in self.finished

    # Past the ledger

    def units(self) -> list[Unit]:
        with Session(self.engine) as session:
            # As inserted: ids are random, and runs must repeat.
            found = session.scalars(select(Unit).order_by(literal_column("rowid"))).all()
            session.expunge_all()
            return list(found)

    def rows(self) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [
                tuple(row)
                for table in Job.metadata.sorted_tables
                for row in connection.execute(select(table).order_by(*table.primary_key))
            ]

    def is_open(self, job: UUID) -> bool:
        return self.ledger.status(job).state in OPEN_JOB

    def wait_out_backoff(self) -> None:
        with Session(self.engine) as session, session.begin():
            session.execute(update(Unit).values(next_attempt_at=0.0))


LedgerMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerMachine = LedgerMachine.TestCase
