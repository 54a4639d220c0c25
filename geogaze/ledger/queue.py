"""Handing out units: whose turn it is, what got lost, and who may do the handing out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geogaze.errors import WorkerLost
from geogaze.ledger.database import Database
from geogaze.ledger.records import Freed, Message
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import OPEN_JOB, UnitState, unit_sources
from geogaze.ledger.steps import move, unit_step
from geogaze.ledger.tables import Job, Lead, Phase, Unit, WorkerSeen, now
from geogaze.ledger.transitions import lock_job, settle_failure
from geogaze.ledger.workers import is_alive

_IN_HAND = (UnitState.DISPATCHED, UnitState.RUNNING)
LEVELS = 10


class Queue:
    """The dispatcher's side of the ledger. Each method is one transaction, or one for each unit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lead(self, name: str, holder: str, seconds: float) -> bool:
        """Be, or stay, the one holder of a lead for some seconds, by the database's clock."""
        values = {"holder": holder, "until": now() + seconds}
        with Session(self._database) as session, session.begin():
            mine = session.scalar(
                update(Lead)
                .where(Lead.name == name, or_(Lead.holder == holder, Lead.until < now()))
                .values(values)
                .returning(Lead.holder)
            )
            if mine or session.get(Lead, name):
                return bool(mine)
        try:
            with Session(self._database) as session, session.begin():
                session.execute(insert(Lead).values(name=name, **values))
        except IntegrityError:  # another was quicker
            return False
        return True

    def resign(self, name: str, holder: str) -> None:
        """Give a lead up, so that another need not wait for its end."""
        with Session(self._database) as session, session.begin():
            session.execute(delete(Lead).where(Lead.name == name, Lead.holder == holder))

    def slots(self) -> int:
        """Units that all living workers together take at once."""
        with Session(self._database) as session:
            return session.scalar(select(func.sum(WorkerSeen.slots)).where(is_alive())) or 0

    def dispatch(self, limit: int) -> list[Message]:
        """Mark units that are due as dispatched, and name them.

        Urgent jobs come first; among equals tenants take turns, and so do the jobs of each, those
        first that have least in hand. At most ``limit`` units lie in the broker unclaimed.
        """
        with Session(self._database) as session, session.begin():
            waiting = session.scalar(
                select(func.count())
                .select_from(Unit)
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.state == UnitState.DISPATCHED, Job.state.in_(OPEN_JOB))
            )
            free = limit - (waiting or 0)
            if free <= 0:
                return []
            due = (
                select(Unit.id)
                .where(
                    Unit.job_id == Job.id,
                    Unit.state == UnitState.PENDING,
                    Unit.next_attempt_at <= now(),
                )
                .exists()
            )
            turns = list(
                session.execute(
                    select(Job.id, Job.tenant, Job.priority, Job.served, Job.created).where(
                        Job.state.in_(OPEN_JOB), due
                    )
                )
            )
            if not turns:
                return []
            of_job, of_tenant = self._in_hand(session)
            units: dict[UUID, Iterator[tuple[UUID, int]]] = {}
            chosen: list[tuple[UUID, UUID, int]] = []
            while turns and len(chosen) < free:
                turn = min(turns, key=lambda c: (-c[2], of_tenant[c[1]], of_job[c[0]], c[3], c[4]))
                job, tenant, *_ = turn
                if job not in units:
                    units[job] = iter(self._due_units(session, job, free))
                due_unit = next(units[job], None)
                if due_unit is None:
                    turns.remove(turn)
                    continue
                unit, failures = due_unit
                # Others may wait for what failed: it overtakes the messages that are out already.
                chosen.append((unit, job, 0 if failures else of_job[job]))
                of_job[job] += 1
                of_tenant[tenant] += 1
            for job in sorted({job for _, job, _ in chosen}):
                lock_job(session, job)
                session.execute(update(Job).where(Job.id == job).values(served=now()))
            marked = set(
                session.scalars(
                    unit_step(UnitState.DISPATCHED, dispatched_at=now())
                    .where(Unit.id.in_([unit for unit, _, _ in chosen]))
                    .returning(Unit.id)
                )
            )
        return [
            Message(unit, min(before, LEVELS - 1), job)
            for unit, job, before in chosen
            if unit in marked
        ]

    def _in_hand(self, session: Session) -> tuple[Counter[UUID], Counter[str]]:
        """How many units of each job and of each tenant are dispatched or running."""
        of_job: Counter[UUID] = Counter()
        of_tenant: Counter[str] = Counter()
        rows = session.execute(
            select(Job.id, Job.tenant, func.count())
            .join(Unit, Unit.job_id == Job.id)
            .where(Unit.state.in_(_IN_HAND), Job.state.in_(OPEN_JOB))
            .group_by(Job.id, Job.tenant)
        )
        for job, tenant, count in rows:
            of_job[job] += count
            of_tenant[tenant] += count
        return of_job, of_tenant

    def _due_units(self, session: Session, job: UUID, limit: int) -> list[tuple[UUID, int]]:
        """Due units of a job with the tries they have spent, in the order they are to be done."""
        return list(
            session.execute(
                select(Unit.id, Unit.failures)
                .where(
                    Unit.job_id == job,
                    Unit.state == UnitState.PENDING,
                    Unit.next_attempt_at <= now(),
                )
                # What has failed goes first, and of what was split off it the last: a unit that is
                # to blame is found before others are tried.
                .order_by(
                    Unit.failures.desc(),
                    case((Unit.position == Unit.root, Unit.position), else_=-Unit.position),
                )
                .limit(limit)
            )
        )

    def following(self, job: UUID) -> UUID | None:
        """A due unit of a job, for a worker that has just been at it; none of a phase that is
        divided, which has many: others take turns with them.
        """
        with Session(self._database) as session:
            return session.scalar(
                select(Unit.id)
                .join(Job, Job.id == Unit.job_id)
                .join(Phase, and_(Phase.job_id == Unit.job_id, Phase.name == Unit.phase))
                .where(
                    Job.id == job,
                    Job.state.in_(OPEN_JOB),
                    Phase.side.is_(None),
                    Unit.state.in_(unit_sources(UnitState.RUNNING)),
                    Unit.next_attempt_at <= now(),
                )
                .order_by(Unit.position)
                .limit(1)
            )

    def sweep(self, *, redeliver_seconds: float, patience: Patience) -> list[Freed]:
        """Free units whose worker vanished or whose message got lost, and name them.

        A unit that keeps losing its worker is split, skipped or fails its job.
        """
        undelivered = (
            Unit.state == UnitState.DISPATCHED,
            Unit.dispatched_at < now() - redeliver_seconds,
        )
        with Session(self._database) as session:
            expired = session.execute(
                select(Unit.id, Unit.job_id).where(_is_left_by_its_worker())
            ).all()
            jobs = session.scalars(select(Unit.job_id).where(*undelivered).distinct()).all()
        settled = (self._settle_lost(unit, job, patience) for unit, job in expired)
        freed = [one for one in settled if one]
        for job in jobs:
            with Session(self._database) as session, session.begin():
                lock_job(session, job)
                taken_back = session.execute(
                    unit_step(UnitState.PENDING, dispatched_at=None)
                    .where(Unit.job_id == job, *undelivered)
                    .returning(Unit.phase, Unit.position)
                ).all()
            freed += [Freed(job, phase, position, None) for phase, position in taken_back]
        return freed

    def take_back(self, *, patience: Patience) -> int:
        """Free all units in hand, of a ledger whose only process knows that it has none; how many.

        As if their workers had vanished and their messages been lost.
        """
        with Session(self._database) as session, session.begin():
            session.execute(
                update(Unit).where(Unit.state == UnitState.RUNNING).values(lease_until=0.0)
            )
            session.execute(
                update(Unit).where(Unit.state == UnitState.DISPATCHED).values(dispatched_at=0.0)
            )
        return len(self.sweep(redeliver_seconds=0.0, patience=patience))

    def _settle_lost(self, unit_id: UUID, job_id: UUID, patience: Patience) -> Freed | None:
        with Session(self._database) as session, session.begin():
            state = lock_job(session, job_id)
            unit = session.scalar(
                select(Unit).where(Unit.id == unit_id, _is_left_by_its_worker()).with_for_update()
            )
            if unit is None:
                return None  # renewed, or handed in, in the meantime
            freed = Freed(job_id, unit.phase, unit.position, unit.worker)
            if state not in OPEN_JOB:
                unit.token = unit.lease_until = unit.dispatched_at = None
                move(session, unit, UnitState.PENDING)
                return freed
            lost = WorkerLost(
                f"The work on unit {unit.position} of phase {unit.phase} lost its worker "
                f"({unit.worker}), {unit.failures + 1} times by now; look at the workers' logs and "
                "memory."
            )
            settle_failure(session, unit, lost, patience)
        return freed

    def next_due_in(self) -> float | None:
        """Seconds until some unit of an open job may be claimed; None if none ever will."""
        with Session(self._database) as session:
            return session.scalar(
                select(func.min(Unit.next_attempt_at) - now())
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.state.in_(unit_sources(UnitState.RUNNING)), Job.state.in_(OPEN_JOB))
            )


def _is_left_by_its_worker() -> ColumnElement[bool]:
    """Whether a unit's lease has run out, as a clause."""
    return and_(Unit.state == UnitState.RUNNING, Unit.lease_until < now())
