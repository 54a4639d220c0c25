"""How workers take units and hand in what they made.

A claim is a guarded UPDATE: it succeeds for one worker, gives it a lease and a fresh token, and
every later step is ``WHERE token = :mine``. Execution is at least once, effects are exactly once.
The transaction that finishes a unit also lowers its phase's count, and whoever brings it to zero
opens the next phase in the same transaction, so no crash can leave a phase between two states.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.errors import GeogazeError, ObjectNotFound, StaleClaim
from geogaze.grid.rectangles import Rectangle
from geogaze.ledger.database import Database
from geogaze.ledger.records import Claim, attempt_prefix
from geogaze.ledger.remaking import remake
from geogaze.ledger.retries import POLICIES, Patience, Waits
from geogaze.ledger.spending import Effort
from geogaze.ledger.states import OPEN_JOB, JobState, UnitState, unit_sources
from geogaze.ledger.steps import job_step, move, unit_step
from geogaze.ledger.tables import Job, Phase, Unit, WorkerSeen, now
from geogaze.ledger.transitions import advance, leave, lock_job, mark_pace, settle_failure, tell
from geogaze.ledger.usage import put_down

_PLANS_KEPT = 16  # of jobs that a worker was at lately


class Claims:
    """The workers' side of the ledger. Each method is one transaction."""

    def __init__(self, database: Database, *, lease_seconds: float, patience: Patience) -> None:
        self._database = database
        self._lease = lease_seconds
        self._patience = patience
        self._plans: dict[UUID, tuple[dict[str, Any], frozenset[str], str | None]] = {}

    def leave(self, worker: str) -> None:
        """Say that a worker process goes, or has gone; units it still held are due for the sweep.

        A process that takes the place of a crashed one says so for it, which is sooner than the
        lease would.
        """
        held = (Unit.state == UnitState.RUNNING, Unit.worker == worker)
        with Session(self._database) as session:
            jobs = session.scalars(select(Unit.job_id).where(*held).distinct()).all()
        for job in jobs:
            with Session(self._database) as session, session.begin():
                lock_job(session, job)
                session.execute(
                    update(Unit).where(Unit.job_id == job, *held).values(lease_until=0.0)
                )
        with Session(self._database) as session, session.begin():
            if seen := session.get(WorkerSeen, worker):
                session.delete(seen)

    def claim(self, unit_id: UUID, worker: str, *, in_company: bool = False) -> Claim | None:
        """Take a unit, or None where it is done, held by another, not due or its job has ended.

        Args:
            unit_id: the unit.
            worker: who takes it.
            in_company: whether the worker may do others at the same time; None then, too, where
                the unit is at its last try.
        """
        token = uuid4()
        before = self._patience.failures_tried_alone
        with Session(self._database) as session, session.begin():
            job_of_unit = select(Unit.job_id).where(Unit.id == unit_id).scalar_subquery()
            job = session.scalar(select(Job).where(Job.id == job_of_unit).with_for_update())
            if job is None or job.state not in OPEN_JOB:
                return None
            unit = session.scalar(
                unit_step(
                    UnitState.RUNNING,
                    attempt=Unit.attempt + 1,
                    items_done=0,
                    token=token,
                    lease_until=now() + self._lease,
                    worker=worker,
                )
                .where(Unit.id == unit_id, Unit.next_attempt_at <= now())
                .where(*((Unit.failures < before,) if in_company else ()))
                .returning(Unit)
            )
            if unit is None:
                return None
            plan, shared, request_id = self._plan(session, job)
            content = job.content if unit.phase in shared else None
            unit.prefix = attempt_prefix(
                job.id, content, unit.phase, unit.position, unit.id, unit.attempt
            )
            if job.state is JobState.ACCEPTED:
                begun = job_step(JobState.RUNNING, started=now(), updated=now(), message="running")
                session.execute(begun.where(Job.id == job.id))
                tell(session, job.id, JobState.RUNNING)
            return Claim(
                unit_id=unit.id,
                job_id=job.id,
                phase=unit.phase,
                position=unit.position,
                root=unit.root,
                rectangle=cast("Rectangle", tuple(unit.rectangle)) if unit.rectangle else None,
                attempt=unit.attempt,
                failures=unit.failures,
                token=token,
                prefix=unit.prefix,
                plan=plan,
                request_id=request_id,
            )

    def is_last_try(self, unit_id: UUID) -> bool:
        """Whether a unit is to be had, and to be tried alone, as this try decides about it."""
        with Session(self._database) as session:
            found = session.scalar(
                select(Unit.id)
                .join(Job, Job.id == Unit.job_id)
                .where(
                    Unit.id == unit_id,
                    Unit.state.in_(unit_sources(UnitState.RUNNING)),
                    Unit.failures >= self._patience.failures_tried_alone,
                    Unit.next_attempt_at <= now(),
                    Job.state.in_(OPEN_JOB),
                )
            )
        return found is not None

    def _plan(
        self, session: Session, job: Job
    ) -> tuple[dict[str, Any], frozenset[str], str | None]:
        """The plan of a job, the phases whose parts are shared, and what its request is called.

        They never change, and are fetched for the first of its units alone.
        """
        if (kept := self._plans.get(job.id)) is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            shared = session.scalars(select(Phase.name).where(Phase.job_id == job.id, Phase.shared))
            plan, request_id = session.execute(
                select(Job.plan, Job.request_id).where(Job.id == job.id)
            ).one()
            kept = self._plans[job.id] = (plan, frozenset(shared), request_id)
        return kept

    def renew(self, claim: Claim) -> None:
        """Push the lease on.

        Raises:
            StaleClaim: the unit is somebody else's, or its job has ended.
        """
        with Session(self._database) as session, session.begin():
            self._hold(session, claim).lease_until = (
                session.scalar(select(now())) or 0.0
            ) + self._lease

    def check(self, claim: Claim) -> None:
        """See whether a claim still holds, at the price of one query.

        Raises:
            StaleClaim: it does not.
        """
        with Session(self._database) as session:
            held = session.scalar(
                select(Unit.id)
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.id == claim.unit_id, Unit.token == claim.token, Job.state.in_(OPEN_JOB))
            )
        if held is None:
            raise _not_ours(claim)

    def tell(self, claim: Claim, items: int) -> None:
        """Say how many items of a unit are done; this sees too whether the claim holds.

        Raises:
            StaleClaim: it does not.
        """
        is_open = select(Job.id).where(Job.id == claim.job_id, Job.state.in_(OPEN_JOB)).exists()
        with Session(self._database) as session, session.begin():
            held = session.scalar(  # alone in its transaction, so it needs no lock on its job
                update(Unit)
                .where(Unit.id == claim.unit_id, Unit.token == claim.token, is_open)
                .values(items_done=items)
                .returning(Unit.id)
            )
        if held is None:
            raise _not_ours(claim)
        with Session(self._database) as session, session.begin():
            mark_pace(session, claim.job_id, claim.phase)

    def commit(
        self, claim: Claim, result: dict[str, Any], *, items: int, effort: Effort | None = None
    ) -> None:
        """Make a unit's parts visible and, where it was its phase's last, open the next.

        Args:
            claim: the claim under which the parts were written.
            result: small JSON for later phases; the last unit's ``assets`` become the job's.
            items: items done by this unit.
            effort: what it took.

        Raises:
            StaleClaim: the claim was lost; nothing becomes visible.
        """
        with Session(self._database) as session, session.begin():
            unit = self._hold(session, claim)
            unit.result, unit.token, unit.lease_until = result, None, None
            move(session, unit, UnitState.DONE)
            if unit.error:
                _let_all_go_on(session, unit)
            if effort:
                put_down(session, claim.job_id, claim.phase, effort, items)
            remaining = leave(session, claim.job_id, claim.phase, items)
            session.execute(update(Job).where(Job.id == claim.job_id).values(updated=now()))
            if remaining == 0:
                advance(session, claim.job_id, claim.phase, result.get("assets"))

    def give_up(self, claim: Claim, error: GeogazeError, effort: Effort | None = None) -> bool:
        """Hand a unit back after an error; True if it will be tried again as it is, or made anew
        after what it lacks (see :mod:`geogaze.ledger.remaking`).

        What is tried again, and how, the table in :mod:`geogaze.ledger.retries` says; what becomes
        of others, see :func:`geogaze.ledger.transitions.settle_failure`.

        Raises:
            StaleClaim: the claim was lost.
        """
        with Session(self._database) as session, session.begin():
            unit = self._hold(session, claim)
            if effort:
                put_down(session, claim.job_id, claim.phase, effort)
            if isinstance(error, ObjectNotFound) and remake(
                session, unit, error.key, self._patience
            ):
                return True
            spent = settle_failure(session, unit, error, self._patience)
            if spent:
                delay = self._patience.backoff.seconds(spent)
                unit.next_attempt_at = (session.scalar(select(now())) or 0.0) + delay
                if POLICIES[error.retry].waits is Waits.ONE_LOOKS:
                    _let_one_look(session, unit, self._lease)
        return bool(spent)

    def release(self, claim: Claim, effort: Effort | None = None) -> None:
        """Hand a unit back untouched, without spending a try (a worker shutting down).

        Raises:
            StaleClaim: the claim was lost.
        """
        with Session(self._database) as session, session.begin():
            unit = self._hold(session, claim)
            if effort:
                put_down(session, claim.job_id, claim.phase, effort)
            unit.token = unit.lease_until = unit.dispatched_at = None
            move(session, unit, UnitState.PENDING)

    def _hold(self, session: Session, claim: Claim) -> Unit:
        """A unit that is still ours, in a job that is still open, both locked."""
        state = lock_job(session, claim.job_id)
        if state not in OPEN_JOB:
            raise StaleClaim(f"Job {claim.job_id} is {state}; unit {claim.position} is void.")
        unit = session.scalar(
            select(Unit)
            .where(
                Unit.id == claim.unit_id,
                Unit.token == claim.token,
                Unit.state == UnitState.RUNNING,
            )
            .with_for_update()
        )
        if unit is None:
            raise StaleClaim(
                f"Unit {claim.position} of job {claim.job_id} was claimed anew; "
                f"attempt {claim.attempt} is void."
            )
        return unit


def _not_ours(claim: Claim) -> StaleClaim:
    return StaleClaim(f"Unit {claim.position} of job {claim.job_id} is not ours any more.")


def _let_one_look(session: Session, unit: Unit, seconds: float) -> None:
    """Let the other units of a job wait while this one tries again: theirs would fail too.

    Else a job on a silent host would hold a lane for each of its units. They go on once this one
    has succeeded, or, should it never report, some seconds after it was due.
    """
    session.flush()
    others = (Unit.job_id == unit.job_id, Unit.phase == unit.phase, Unit.id != unit.id)
    taken_back = unit_step(UnitState.PENDING, dispatched_at=None)
    session.execute(taken_back.where(*others, Unit.state == UnitState.DISPATCHED))
    session.execute(
        update(Unit)
        .where(*others, Unit.state == UnitState.PENDING)
        .values(next_attempt_at=unit.next_attempt_at + seconds, error=unit.error)
    )


def _let_all_go_on(session: Session, unit: Unit) -> None:
    """End the wait of units that waited with a unit for what it has now succeeded at."""
    session.execute(
        update(Unit)
        .where(
            Unit.job_id == unit.job_id,
            Unit.phase == unit.phase,
            Unit.state == UnitState.PENDING,
            Unit.error == unit.error,
        )
        .values(next_attempt_at=0.0)
    )
