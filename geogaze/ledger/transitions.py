"""Steps that several transactions take: opening phases, ending jobs, settling failed units.

Each runs in the caller's transaction, which holds the job's row locked.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, func, insert, literal, select, update
from sqlalchemy.orm import Session

from geogaze.errors import GeogazeError
from geogaze.ledger.states import OPEN_JOB, JobState, Phase, UnitState
from geogaze.ledger.tables import Delivery, Job, PhaseCount, Unit, new_id, now

_ORDER = list(Phase)
_ENDED = (JobState.SUCCESSFUL, JobState.FAILED)
_OUTAGE = 4  # times as many as other tries, while storage or the database are away
_CHILD_TRIES = 2  # of a unit split off one that kept failing

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


def open_phase(session: Session, job_id: UUID, phase: Phase, units: int) -> None:
    """Insert the units of a phase, by one statement however many they are."""
    numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n + 1 < units))
    rows: Select[Any] = select(
        new_id(),
        literal(job_id, Unit.job_id.type),
        literal(phase, Unit.phase.type),
        numbers.c.n,
        numbers.c.n,
        literal(UnitState.PENDING, Unit.state.type),
        literal(0),
        literal(0),
        literal(0),
        literal(0.0),
    )
    columns = (
        "id",
        "job_id",
        "phase",
        "position",
        "root",
        "state",
        "attempt",
        "failures",
        "outages",
        "next_attempt_at",
    )
    session.execute(insert(Unit).from_select(columns, rows, include_defaults=False))


def advance(session: Session, job_id: UUID, phase: Phase, assets: dict[str, Any] | None) -> None:
    """Open what follows a phase without units left: the next one, or the job's end."""
    rows = session.execute(
        select(PhaseCount.phase, PhaseCount.total).where(PhaseCount.job_id == job_id)
    )
    totals = {phase: total for phase, total in rows}  # noqa: C416  rows are typed, dict() is not
    for later in _ORDER[_ORDER.index(phase) + 1 :]:
        if totals.get(later):
            session.execute(update(Job).where(Job.id == job_id).values(phase=later))
            open_phase(session, job_id, later, totals[later])
            return
    session.execute(update(Job).where(Job.id == job_id).values(assets=assets))
    close_job(session, job_id, JobState.SUCCESSFUL, "done")


def close_job(
    session: Session,
    job_id: UUID,
    state: JobState,
    message: str,
    problem: dict[str, Any] | None = None,
) -> None:
    """Bring a job to an end state; one that has ended differently keeps its end."""
    allowed = OPEN_JOB if state is not JobState.DISMISSED else (*OPEN_JOB, *_ENDED)
    closed = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(allowed))
        .values(
            state=state,
            message=message,
            problem=problem,
            updated=now(),
            finished=func.coalesce(Job.finished, now()),
        )
        .returning(Job.id)
    )
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


def settle_failure(session: Session, unit: Unit, error: GeogazeError, max_attempts: int) -> int:
    """Decide on a running unit whose attempt failed, and let go of it.

    It is tried again, or split where its tiles may be to blame, or, where a single tile is left,
    skipped or the end of the job, as the job's ``on_error`` says.

    Returns:
        How many tries it has spent if it is to be tried again, else 0.
    """
    job = session.get_one(Job, unit.job_id)
    # What says the same words twice is no chance, and would say them a third time.
    chance = unit.error != str(error) or not error.spends_try
    job.last_error = unit.error = str(error)
    job.updated = session.scalar(select(now())) or 0.0
    unit.token = unit.lease_until = unit.dispatched_at = None
    tiles = tiles_of(job, unit)
    whole = tiles is None and error.divisible  # what cannot be divided is tried again instead
    if error.retryable and not error.spends_try:
        # An outage is nobody's fault, so it spends no try; but a job must end some day.
        unit.outages += 1
        spent, patience = unit.outages, _OUTAGE * max_attempts
    else:
        unit.failures += error.spends_try or whole
        spent, patience = unit.failures, max_attempts
    if (error.retryable or (whole and chance)) and spent < patience:
        unit.state = UnitState.PENDING
        session.flush()
        return spent
    if error.divisible and tiles is not None:
        if _area(tiles) > 1:
            _split(session, unit, tiles, max_attempts)
            return 0
        if job.plan.get("on_error") == "skip":
            unit.state = UnitState.SKIPPED
            session.flush()
            if leave(session, unit.job_id, unit.phase, tiles=1) == 0:
                advance(session, unit.job_id, unit.phase, None)
            return 0
        row, col = tiles[:2]
        unit.error = f"Tile (row {row}, column {col}): {error}"
    unit.state = UnitState.FAILED
    session.flush()
    close_job(session, unit.job_id, JobState.FAILED, unit.error, problem_of(error, unit.error))
    return 0


def leave(session: Session, job_id: UUID, phase: Phase, tiles: int) -> int | None:
    """Count one unit of a phase as settled; how many are left."""
    return session.scalar(
        update(PhaseCount)
        .where(PhaseCount.job_id == job_id, PhaseCount.phase == phase)
        .values(remaining=PhaseCount.remaining - 1, tiles_done=PhaseCount.tiles_done + tiles)
        .returning(PhaseCount.remaining)
    )


def problem_of(error: GeogazeError, detail: str | None = None) -> dict[str, Any]:
    """What a failed job says of its failure (the core of an RFC 7807 document)."""
    return {"slug": error.slug, "title": error.title, "detail": detail or str(error)}


def tiles_of(job: Job, unit: Unit) -> list[int] | None:
    """The tiles of a unit (row0, col0, row1, col1); None outside the explain phase."""
    if unit.phase is not Phase.EXPLAIN:
        return None
    if unit.window:
        return unit.window
    rows, cols, side = job.tile_rows, job.tile_cols, job.chunk_side
    row, col = (number * side for number in divmod(unit.root, -(-cols // side)))
    return [row, col, min(row + side, rows), min(col + side, cols)]


def _area(tiles: list[int]) -> int:
    return (tiles[2] - tiles[0]) * (tiles[3] - tiles[1])


def halves(tiles: list[int]) -> tuple[list[int], list[int]]:
    """A rectangle of at least two tiles, cut across its longer side."""
    row0, col0, row1, col1 = tiles
    if row1 - row0 >= col1 - col0:
        middle = (row0 + row1) // 2
        return [row0, col0, middle, col1], [middle, col0, row1, col1]
    middle = (col0 + col1) // 2
    return [row0, col0, row1, middle], [row0, middle, row1, col1]


def _split(session: Session, unit: Unit, tiles: list[int], max_attempts: int) -> None:
    unit.state = UnitState.SPLIT
    session.flush()
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
            window=half,
            state=UnitState.PENDING,
            failures=max(0, max_attempts - _CHILD_TRIES),
        )
        for number, half in enumerate(halves(tiles), start=1)
    )
    session.execute(
        update(PhaseCount)
        .where(PhaseCount.job_id == unit.job_id, PhaseCount.phase == unit.phase)
        .values(total=PhaseCount.total + 1, remaining=PhaseCount.remaining + 1)
    )
