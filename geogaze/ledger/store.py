"""Every query of the ledger, except the claims of workers (see :mod:`geogaze.ledger.claims`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Engine, func, insert, select, update
from sqlalchemy.orm import Session

from geogaze.errors import GeogazeError, JobNotFound
from geogaze.ledger.records import JobStatus, Part, PhaseStatus, part_prefix
from geogaze.ledger.states import (
    OPEN_JOB,
    JobState,
    Phase,
    UnitState,
    check_job_step,
    unit_sources,
)
from geogaze.ledger.tables import Base, Job, PhaseCount, Unit, now

PROCESS = "explain"


class Ledger:
    """Jobs and units in a SQL database. Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def create_tables(self) -> None:
        """Make the tables of an embedded ledger; servers are migrated by Alembic instead."""
        Base.metadata.create_all(self.engine)

    def submit(
        self,
        request: dict[str, Any],
        plan: dict[str, Any],
        *,
        tiles: int,
        units: dict[Phase, int],
    ) -> UUID:
        """Accept a job: its row, the counts of its phases and the units of the first.

        Args:
            request: the inputs as given.
            plan: the plan as JSON.
            tiles: number of tiles.
            units: number of units of each phase; the explain phase has at least one.
        """
        job_id = uuid4()
        with Session(self.engine) as session, session.begin():
            moment = session.scalar(select(now()))
            session.execute(
                insert(Job).values(
                    id=job_id,
                    process=PROCESS,
                    state=JobState.ACCEPTED,
                    phase=Phase.EXPLAIN,
                    request=request,
                    plan=plan,
                    tiles=tiles,
                    message="waiting for a worker",
                    created=moment,
                    updated=moment,
                )
            )
            session.execute(
                insert(PhaseCount),
                [
                    {"job_id": job_id, "phase": phase, "total": total, "remaining": total}
                    for phase, total in units.items()
                ],
            )
            open_phase(session, job_id, Phase.EXPLAIN, units[Phase.EXPLAIN])
        return job_id

    def status(self, job_id: UUID) -> JobStatus:
        """Where a job stands.

        Raises:
            JobNotFound: there is none.
        """
        found = self._statuses(Job.id == job_id, limit=1, offset=0)
        if not found:
            raise JobNotFound(f"There is no job {job_id}.")
        return found[0]

    def jobs(
        self,
        *,
        limit: int,
        offset: int = 0,
        states: Iterable[JobState] = (),
        processes: Iterable[str] = (),
        created_from: float | None = None,
        created_to: float | None = None,
        min_seconds: float | None = None,
        max_seconds: float | None = None,
    ) -> list[JobStatus]:
        """Jobs, newest first. ``min_seconds`` and ``max_seconds`` judge how long they ran."""
        wanted: list[ColumnElement[bool]] = []
        if states := list(states):
            wanted.append(Job.state.in_(states))
        if processes := list(processes):
            wanted.append(Job.process.in_(processes))
        if created_from is not None:
            wanted.append(Job.created >= created_from)
        if created_to is not None:
            wanted.append(Job.created <= created_to)
        ran = func.coalesce(Job.finished, now()) - Job.started
        if min_seconds is not None:
            wanted.append(ran >= min_seconds)
        if max_seconds is not None:
            wanted.append(ran <= max_seconds)
        return self._statuses(*wanted, limit=limit, offset=offset)

    def _statuses(self, *wanted: ColumnElement[bool], limit: int, offset: int) -> list[JobStatus]:
        with Session(self.engine) as session:
            moment = session.scalar(select(now())) or 0.0
            jobs = session.scalars(
                select(Job)
                .where(*wanted)
                .order_by(Job.created.desc(), Job.id)
                .limit(limit)
                .offset(offset)
            ).all()
            counts = session.scalars(
                select(PhaseCount).where(PhaseCount.job_id.in_([job.id for job in jobs]))
            ).all()
        return [_job_status(job, counts, moment) for job in jobs]

    def request(self, job_id: UUID) -> dict[str, Any]:
        """The inputs of a job as given."""
        with Session(self.engine) as session:
            job = session.get(Job, job_id)
        if job is None:
            raise JobNotFound(f"There is no job {job_id}.")
        return job.request

    def dismiss(self, job_id: UUID) -> JobStatus:
        """End a job; its workers notice at their next heartbeat or batch.

        Raises:
            JobNotFound: there is none.
            IllegalTransition: it was dismissed before.
        """
        with Session(self.engine) as session, session.begin():
            job = session.get(Job, job_id, with_for_update=True)
            if job is None:
                raise JobNotFound(f"There is no job {job_id}.")
            check_job_step(job.state, JobState.DISMISSED)
            close_job(session, job_id, JobState.DISMISSED, "dismissed by request")
            session.execute(update(Job).where(Job.id == job_id).values(assets=None))
        return self.status(job_id)

    def parts(self, job_id: UUID, phase: Phase) -> list[Part]:
        """Visible outcomes of a phase's finished units, in order."""
        with Session(self.engine) as session:
            rows = session.execute(
                select(Unit.position, Unit.attempt, Unit.result)
                .where(Unit.job_id == job_id, Unit.phase == phase, Unit.state == UnitState.DONE)
                .order_by(Unit.position)
            ).all()
        return [
            Part(position, part_prefix(job_id, phase, position, attempt), result or {})
            for position, attempt, result in rows
        ]

    def dispatch(self, limit: int) -> list[UUID]:
        """Mark units that are due as dispatched, and name them.

        Jobs take turns, those first that waited longest for one, so that a small job is never
        stuck behind a large one. At most ``limit`` units lie in the broker unclaimed.
        """
        with Session(self.engine) as session, session.begin():
            waiting = session.scalar(
                select(func.count())
                .select_from(Unit)
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.state == UnitState.DISPATCHED, Job.state.in_(OPEN_JOB))
            )
            turn = func.row_number().over(partition_by=Unit.job_id, order_by=Unit.position)
            due = (
                select(Unit.id, turn.label("turn"), Job.served, Job.created)
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.state == UnitState.PENDING, Unit.next_attempt_at <= now())
                .where(Job.state.in_(OPEN_JOB))
                .subquery()
            )
            chosen = session.scalars(
                select(due.c.id)
                .order_by(due.c.turn, due.c.served, due.c.created)
                .limit(max(0, limit - (waiting or 0)))
            ).all()
            if not chosen:
                return []
            marked = session.execute(
                update(Unit)
                .where(Unit.id.in_(chosen), Unit.state == UnitState.PENDING)
                .values(state=UnitState.DISPATCHED, dispatched_at=now())
                .returning(Unit.id, Unit.job_id)
            ).all()
            session.execute(
                update(Job).where(Job.id.in_({row.job_id for row in marked})).values(served=now())
            )
        ours = {row.id for row in marked}
        return [unit for unit in chosen if unit in ours]

    def sweep(self, *, redeliver_seconds: float, max_attempts: int) -> int:
        """Free units whose worker vanished or whose message got lost; return how many.

        A unit that took its worker down ``max_attempts`` times fails its job.
        """
        lost = (Unit.state == UnitState.RUNNING, Unit.lease_until < now())
        with Session(self.engine) as session, session.begin():
            hopeless = session.execute(
                select(Unit.job_id, Unit.phase, Unit.position).where(
                    *lost, Unit.attempt >= max_attempts
                )
            ).all()
            for job_id, phase, position in hopeless:
                message = (
                    f"Unit {position} of phase {phase.value} lost its worker {max_attempts} times; "
                    "look at the workers' logs and memory."
                )
                close_job(session, job_id, JobState.FAILED, message, problem_of(message))
                session.execute(
                    update(Unit)
                    .where(Unit.job_id == job_id, Unit.phase == phase, Unit.position == position)
                    .values(_pending() | {"state": UnitState.FAILED, "error": message})
                )
            freed = session.scalars(
                update(Unit).where(*lost).values(_pending()).returning(Unit.id)
            ).all()
            undelivered = session.scalars(
                update(Unit)
                .where(
                    Unit.state == UnitState.DISPATCHED,
                    Unit.dispatched_at < now() - redeliver_seconds,
                )
                .values(_pending())
                .returning(Unit.id)
            ).all()
        return len(freed) + len(undelivered)

    def next_due_in(self) -> float | None:
        """Seconds until some unit of an open job may be claimed; None if none ever will."""
        with Session(self.engine) as session:
            return session.scalar(
                select(func.min(Unit.next_attempt_at) - now())
                .join(Job, Job.id == Unit.job_id)
                .where(Unit.state.in_(unit_sources(UnitState.RUNNING)), Job.state.in_(OPEN_JOB))
            )


def open_phase(session: Session, job_id: UUID, phase: Phase, units: int) -> None:
    """Insert the units of a phase."""
    session.execute(
        insert(Unit),
        [
            {
                "id": uuid4(),
                "job_id": job_id,
                "phase": phase,
                "position": position,
                "state": UnitState.PENDING,
            }
            for position in range(units)
        ],
    )


def close_job(
    session: Session,
    job_id: UUID,
    state: JobState,
    message: str,
    problem: dict[str, Any] | None = None,
) -> None:
    """Bring a job to an end state; one that has ended differently keeps its end."""
    allowed = OPEN_JOB if state is not JobState.DISMISSED else (*OPEN_JOB, *_ENDED)
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(allowed))
        .values(
            state=state,
            message=message,
            problem=problem,
            updated=now(),
            finished=func.coalesce(Job.finished, now()),
        )
    )


def problem_of(error: GeogazeError | str) -> dict[str, Any]:
    """What a failed job says of its failure (the core of an RFC 7807 document)."""
    if isinstance(error, str):
        return {"slug": GeogazeError.slug, "title": GeogazeError.title, "detail": error}
    return {"slug": error.slug, "title": error.title, "detail": str(error)}


_ENDED = (JobState.SUCCESSFUL, JobState.FAILED)


def _pending() -> dict[str, Any]:
    return {"state": UnitState.PENDING, "token": None, "lease_until": None, "dispatched_at": None}


def _job_status(job: Job, counts: Sequence[PhaseCount], moment: float) -> JobStatus:
    return JobStatus(
        id=job.id,
        process=job.process,
        state=job.state,
        phase=job.phase,
        message=job.message,
        tiles=job.tiles,
        phases={
            count.phase: PhaseStatus(count.total, count.remaining, count.tiles_done)
            for count in counts
            if count.job_id == job.id
        },
        created=job.created,
        updated=job.updated,
        started=job.started,
        finished=job.finished,
        now=moment,
        problem=job.problem,
        assets=job.assets,
    )
