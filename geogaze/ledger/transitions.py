"""Steps that several transactions take: opening phases, ending jobs, settling failed units.

Each runs in the caller's transaction, which holds the job's row locked.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, case, func, insert, literal, select, update
from sqlalchemy.orm import Session

from geogaze.errors import GeogazeError
from geogaze.grid.rectangles import Rectangle, area, halves
from geogaze.ledger.pace import Pace
from geogaze.ledger.retries import Patience, Step, decide
from geogaze.ledger.states import JobState, UnitState
from geogaze.ledger.steps import job_step, move
from geogaze.ledger.tables import PHASE_NAME, Delivery, Job, Phase, Unit, new_id, now

EVENTS = {
    JobState.RUNNING: "inProgress",
    JobState.SUCCESSFUL: "success",
    JobState.FAILED: "failed",
}
"""What a subscriber is told of; the names are OGC's, less their ``Uri``."""


def lock_job(session: Session, job_id: UUID) -> JobState | None:
    """Lock a job's row; its state, or None where it is gone.

    Whoever changes units locks their job's row before: two that lock in different orders wait for
    each other.
    """
    return session.scalar(select(Job.state).where(Job.id == job_id).with_for_update())


def open_phase(session: Session, job_id: UUID, phase: str, units: int) -> None:
    """Insert the units of a phase, by one statement however many they are."""
    numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n + 1 < units))
    rows: Select[Any] = select(
        new_id(),
        literal(job_id, Unit.job_id.type),
        literal(phase, PHASE_NAME),
        numbers.c.n,
        numbers.c.n,
    )
    columns = ("id", "job_id", "phase", "position", "root")
    session.execute(insert(Unit).from_select(columns, rows))


def advance(session: Session, job_id: UUID, phase: str, assets: dict[str, Any] | None) -> None:
    """Open what follows a phase without units left: the next one, or the job's end."""
    own = Phase.job_id == job_id
    position = select(Phase.position).where(own, Phase.name == phase).scalar_subquery()
    later = session.execute(
        select(Phase.name, Phase.total)
        .where(own, Phase.position > position, Phase.total > 0)
        .order_by(Phase.position)
        .limit(1)
    ).one_or_none()
    if later:
        session.execute(update(Job).where(Job.id == job_id).values(phase=later.name))
        open_phase(session, job_id, later.name, later.total)
        return
    files = (assets or {}).get("files", {}).values()
    size = sum(file.get("size", 0) for file in files)
    session.execute(update(Job).where(Job.id == job_id).values(assets=assets, size=size))
    close_job(session, job_id, JobState.SUCCESSFUL, "done")


def close_job(
    session: Session,
    job_id: UUID,
    state: JobState,
    message: str,
    problem: dict[str, Any] | None = None,
) -> None:
    """Bring a job to an end state; one that has ended differently keeps its end."""
    end = job_step(
        state,
        message=message,
        problem=problem,
        updated=now(),
        finished=func.coalesce(Job.finished, now()),
    )
    closed = session.scalar(end.where(Job.id == job_id).returning(Job.id))
    if closed:
        tell(session, job_id, state)


def tell(session: Session, job_id: UUID, state: JobState) -> None:
    """Put down what the job's subscriber is to be told of this state, if anything."""
    event = EVENTS.get(state)
    subscriber = session.scalar(select(Job.subscriber).where(Job.id == job_id)) or {}
    if event and (uri := subscriber.get(f"{event}Uri")):
        session.execute(
            insert(Delivery).values(
                id=uuid4(), job_id=job_id, event=event, uri=uri, next_attempt_at=now()
            )
        )


def mark_pace(session: Session, job_id: UUID, phase: str) -> None:
    """Keep how far a phase of a job is, unless somebody has just done so."""
    this = (Phase.job_id == job_id, Phase.name == phase)
    at_work = (
        select(func.coalesce(func.sum(Unit.items_done), 0))
        .where(Unit.job_id == job_id, Unit.state == UnitState.RUNNING)
        .scalar_subquery()
    )
    moment, marks, items = session.execute(
        select(now(), Phase.pace, Phase.items_done + at_work).where(*this)
    ).one()
    pace = Pace.of(marks)
    if (later := pace.seen(moment, items)) is not pace:
        most = case((Phase.items_seen < items, items), else_=Phase.items_seen)
        session.execute(update(Phase).where(*this).values(pace=later.marks, items_seen=most))


def settle_failure(session: Session, unit: Unit, error: GeogazeError, patience: Patience) -> int:
    """Decide on a running unit whose attempt failed, and let go of it.

    It is tried again, or split where its items may be to blame, or, where a single item is left,
    skipped or the end of the job, as its phase says.

    Returns:
        How many tries it has spent if it is to be tried again, else 0.
    """
    job = session.get_one(Job, unit.job_id)
    repeated = unit.error == str(error)
    job.last_error = unit.error = str(error)
    job.updated = session.scalar(select(now())) or 0.0
    unit.token = unit.lease_until = unit.dispatched_at = None
    phase = session.get_one(Phase, (unit.job_id, unit.phase))
    rectangle = rectangle_of(phase, unit)
    decision = decide(
        error.retry,
        patience,
        failures=unit.failures,
        outages=unit.outages,
        divided=rectangle is not None,
        repeated=repeated,
    )
    unit.failures, unit.outages = decision.failures, decision.outages
    if decision.step is Step.AGAIN:
        move(session, unit, UnitState.PENDING)
        return decision.spent
    if decision.step is Step.DIVIDE and rectangle is not None:
        if area(rectangle) > 1:
            _split(session, unit, rectangle, patience)
            return 0
        if phase.skips:
            move(session, unit, UnitState.SKIPPED)
            if leave(session, unit.job_id, unit.phase, items=1) == 0:
                advance(session, unit.job_id, unit.phase, None)
            return 0
        row, col = rectangle[:2]
        unit.error = f"{_one(phase.noun)} (row {row}, column {col}): {error}"
    move(session, unit, UnitState.FAILED)
    close_job(session, unit.job_id, JobState.FAILED, unit.error, problem_of(error, unit.error))
    return 0


def leave(session: Session, job_id: UUID, phase: str, items: int) -> int | None:
    """Count one unit of a phase as settled; how many are left."""
    return session.scalar(
        update(Phase)
        .where(Phase.job_id == job_id, Phase.name == phase)
        .values(remaining=Phase.remaining - 1, items_done=Phase.items_done + items)
        .returning(Phase.remaining)
    )


def problem_of(error: GeogazeError, detail: str | None = None) -> dict[str, Any]:
    """What a failed job says of its failure (the core of an RFC 7807 document)."""
    return {"slug": error.slug, "title": error.title, "detail": detail or str(error)}


def rectangle_of(phase: Phase, unit: Unit) -> Rectangle | None:
    """The items of a unit; None where its phase is not divided."""
    if unit.rectangle:
        row0, col0, row1, col1 = unit.rectangle
        return row0, col0, row1, col1
    return phase.grid.rectangle(unit.root) if phase.grid else None


def _one(noun: str) -> str:
    """One of what a noun in the plural says, at the beginning of a sentence."""
    return (noun.removesuffix("s") or "item").capitalize()


def _split(session: Session, unit: Unit, rectangle: Rectangle, patience: Patience) -> None:
    move(session, unit, UnitState.SPLIT)
    last = session.scalar(
        select(func.max(Unit.position)).where(Unit.job_id == unit.job_id, Unit.phase == unit.phase)
    )
    session.add_all(
        Unit(
            id=uuid4(),
            job_id=unit.job_id,
            phase=unit.phase,
            position=(last or 0) + number,
            root=unit.root,
            rectangle=list(half),
            failures=patience.failures_of_halves,
        )
        for number, half in enumerate(halves(rectangle), start=1)
    )
    session.execute(
        update(Phase)
        .where(Phase.job_id == unit.job_id, Phase.name == unit.phase)
        .values(total=Phase.total + 1, remaining=Phase.remaining + 1)
    )
