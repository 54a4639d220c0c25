"""Accepting a job: once for each idempotency key, and with what an earlier one has explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import case, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geogaze.errors import IdempotencyKeyReused
from geogaze.ledger.database import Database
from geogaze.ledger.states import SETTLED_UNIT, JobState, Phase, UnitState
from geogaze.ledger.tables import Job, PhaseCount, Unit, new_id, now
from geogaze.ledger.transitions import advance, open_phase

PROCESS = "explain"
DEFAULT_TENANT = "default"


@dataclass(frozen=True)
class Submission:
    """A planned job on its way into the ledger.

    ``request`` holds the inputs as given, ``plan`` the plan as JSON. ``units`` has the number of
    units of each phase, of which explain has at least one; ``grid`` the rows and columns of tiles
    and the side of a unit's square of them. Jobs of one ``content`` explain alike. ``subscriber``
    has URIs by OGC's names. ``warnings`` are for whoever asked.
    """

    request: dict[str, Any]
    plan: dict[str, Any]
    units: dict[Phase, int]
    grid: tuple[int, int, int]
    content: str
    tenant: str = DEFAULT_TENANT
    priority: int = 0
    idempotency_key: str | None = None
    subscriber: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def accept(database: Database, job: Submission) -> UUID:
    """Accept a job: its row, the counts of its phases and the units of the first.

    What an earlier job of the same tenant and content has explained is taken over. A job whose
    idempotency key came before is that job.

    Raises:
        IdempotencyKeyReused: the key came before, with another request or subscriber.
    """
    asked = (database, job.tenant, job.idempotency_key, job.request, job.subscriber)
    if earlier := known(*asked):
        return earlier
    try:
        return _insert(database, job)
    except IntegrityError:
        # Another process has just accepted the same key.
        if earlier := known(*asked):
            return earlier
        raise


def known(
    database: Database,
    tenant: str,
    key: str | None,
    request: dict[str, Any],
    subscriber: dict[str, Any] | None = None,
) -> UUID | None:
    """The job that an idempotency key stands for, if it came before.

    Raises:
        IdempotencyKeyReused: it came with another request or subscriber.
    """
    if key is None:
        return None
    with Session(database) as session:
        found = session.execute(
            select(Job.id, Job.request, Job.subscriber).where(
                Job.tenant == tenant, Job.idempotency_key == key
            )
        ).one_or_none()
    if found is None:
        return None
    same = {
        "request": found.request == request,
        "subscriber": _addresses(found.subscriber) == _addresses(subscriber),
    }
    if differing := " and ".join(name for name, equal in same.items() if not equal):
        raise IdempotencyKeyReused(
            f"The idempotency key {key!r} stands for job {found.id}, which has another {differing} "
            "than this one. Use a new key for a new request."
        )
    job: UUID = found.id
    return job


def _addresses(subscriber: dict[str, Any] | None) -> dict[str, Any]:
    # Not ``base``: the same client may reach the API by another address.
    return {name: uri for name, uri in (subscriber or {}).items() if name.endswith("Uri")}


def _insert(database: Database, job: Submission) -> UUID:
    job_id = uuid4()
    rows, cols, side = job.grid
    with Session(database) as session, session.begin():
        source = _source(session, job)
        moment = session.scalar(select(now()))
        session.execute(
            insert(Job).values(
                id=job_id,
                tenant=job.tenant,
                process=PROCESS,
                state=JobState.ACCEPTED,
                phase=Phase.EXPLAIN,
                request=job.request,
                plan=job.plan,
                tiles=rows * cols,
                tile_rows=rows,
                tile_cols=cols,
                chunk_side=side,
                priority=job.priority,
                content=job.content,
                idempotency_key=job.idempotency_key,
                subscriber=job.subscriber,
                warnings=list(job.warnings),
                message="waiting for a worker",
                created=moment,
                updated=moment,
            )
        )
        session.execute(
            insert(PhaseCount),
            [
                {"job_id": job_id, "phase": phase, "total": total, "remaining": total}
                for phase, total in job.units.items()
            ],
        )
        if source is None:
            open_phase(session, job_id, Phase.EXPLAIN, job.units[Phase.EXPLAIN])
        elif _take_over(session, source, job_id) == 0:
            advance(session, job_id, Phase.EXPLAIN, None)
    return job_id


def _source(session: Session, job: Submission) -> UUID | None:
    """The job that has explained most of the same; locked, so that it is not dismissed now."""
    return session.scalar(
        select(Job.id)
        .join(PhaseCount, PhaseCount.job_id == Job.id)
        .where(
            Job.content == job.content,
            Job.tenant == job.tenant,
            Job.state != JobState.DISMISSED,
            PhaseCount.phase == Phase.EXPLAIN,
            PhaseCount.remaining < PhaseCount.total,
        )
        .order_by(PhaseCount.remaining, Job.created)
        .limit(1)
        .with_for_update(of=Job)
    )


def _take_over(session: Session, source: UUID, job_id: UUID) -> int:
    """Copy the explain units of a job, those not settled as pending; how many are pending."""
    kept = Unit.state.in_(SETTLED_UNIT)
    state = case((kept, Unit.state), else_=literal(UnitState.PENDING, Unit.state.type))
    copied = {
        "id": new_id(),
        "job_id": literal(job_id, Unit.job_id.type),
        "phase": Unit.phase,
        "position": Unit.position,
        "root": Unit.root,
        "window": Unit.window,
        "state": state,
        "attempt": literal(0),
        "failures": literal(0),
        "outages": literal(0),
        "next_attempt_at": literal(0.0),
        "prefix": case((kept, Unit.prefix)),
        "error": case((kept, Unit.error)),
        "result": case((kept, Unit.result)),
    }
    session.execute(
        insert(Unit).from_select(
            list(copied),
            select(*copied.values()).where(Unit.job_id == source, Unit.phase == Phase.EXPLAIN),
            include_defaults=False,
        )
    )
    own = (Unit.job_id == job_id, Unit.phase == Phase.EXPLAIN)
    pending = select(func.count()).select_from(Unit).where(*own, ~kept).scalar_subquery()
    theirs = select(PhaseCount.total, PhaseCount.tiles_done).where(
        PhaseCount.job_id == source, PhaseCount.phase == Phase.EXPLAIN
    )
    total, tiles = session.execute(theirs).one()
    remaining = session.scalar(
        update(PhaseCount)
        .where(PhaseCount.job_id == job_id, PhaseCount.phase == Phase.EXPLAIN)
        .values(total=total, remaining=pending, tiles_done=tiles, tiles_reused=tiles)
        .returning(PhaseCount.remaining)
    )
    return remaining or 0
