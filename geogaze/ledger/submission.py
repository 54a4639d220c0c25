"""Accepting a job: once for each idempotency key, and with what an earlier one has done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import case, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geogaze.errors import IdempotencyKeyReused
from geogaze.grid.rectangles import Division
from geogaze.ledger.database import Database
from geogaze.ledger.quotas import Quota
from geogaze.ledger.states import SETTLED_UNIT, JobState, UnitState
from geogaze.ledger.tables import Job, Phase, Unit, new_id, now
from geogaze.ledger.transitions import advance, open_phase

DEFAULT_TENANT = "default"
_LONGEST_NAME = 64


@dataclass(frozen=True)
class PhasePlan:
    """A phase of a job to come.

    Attributes:
        name: the word that workers know it by, at most 64 characters.
        units: how many units it has; one of none is passed over.
        share: its part of the job's progress, in percent or any other unit of all phases alike.
        doing: what is done, for people: "drawing overlay".
        grid: how its items are divided into units, where items are counted and a unit that keeps
            failing is split.
        noun: what the items are, for people, in a plural that ends in s: "tiles".
        skips: whether an item that cannot be done is left out; else the job fails.
        shared: whether its parts lie by the job's content, where later jobs of the same content
            take them over. Only the first phase's may.
    """

    name: str
    units: int
    share: int
    doing: str
    grid: Division | None = None
    noun: str = ""
    skips: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Submission:
    """A planned job on its way into the ledger.

    ``request`` holds the inputs as given, ``plan`` the plan as JSON, ``phases`` what is to be done
    in their order. Jobs of one process and ``content`` do the same in their first phase.
    ``subscriber`` has URIs by OGC's names. ``warnings`` are for whoever asked; ``request_id`` is
    what logs call the request, in at most 64 characters.

    Raises:
        ValueError: no phase has a unit, a name is too long, the last one skips items, or others'
            parts are shared than those of the first of several.
    """

    request: dict[str, Any]
    plan: dict[str, Any]
    phases: tuple[PhasePlan, ...]
    content: str
    process: str
    tenant: str = DEFAULT_TENANT
    priority: int = 0
    idempotency_key: str | None = None
    subscriber: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    request_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if not any(phase.units for phase in self.phases):
            raise ValueError("A job needs a unit of work.")
        if any(len(phase.name) > _LONGEST_NAME for phase in self.phases):
            raise ValueError(f"A phase's name has at most {_LONGEST_NAME} characters.")
        if self.phases[-1].grid and self.phases[-1].skips:
            raise ValueError("The last phase brings the results; none of its items can be skipped.")
        if any(phase.shared for phase in self.phases if phase is not self.first):
            raise ValueError("Only the first phase's parts can be shared.")
        if self.first.shared and sum(bool(phase.units) for phase in self.phases) == 1:
            raise ValueError("Shared parts are for a later phase, which is missing.")

    @property
    def first(self) -> PhasePlan:
        """The phase it begins with."""
        return next(phase for phase in self.phases if phase.units)


def accept(database: Database, job: Submission, quota: Quota = Quota()) -> UUID:  # noqa: B008  frozen
    """Accept a job: its row, the counts of its phases and the units of the first.

    What an earlier job of the same tenant and content has done is taken over. A job whose
    idempotency key came before is that job.

    Raises:
        IdempotencyKeyReused: the key came before, with another process, request or subscriber.
        QuotaExceeded: its tenant has enough.
    """
    asked = (database, job.tenant, job.idempotency_key, job.process, job.request, job.subscriber)
    if earlier := known(*asked):
        return earlier
    try:
        return _insert(database, job, quota)
    except IntegrityError:
        # Another process has just accepted the same key.
        if earlier := known(*asked):
            return earlier
        raise


def known(
    database: Database,
    tenant: str,
    key: str | None,
    process: str,
    request: dict[str, Any],
    subscriber: dict[str, Any] | None = None,
) -> UUID | None:
    """The job that an idempotency key stands for, if it came before.

    Raises:
        IdempotencyKeyReused: it came with another process, request or subscriber.
    """
    if key is None:
        return None
    with Session(database) as session:
        earlier = session.execute(
            select(Job.id, Job.process, Job.request, Job.subscriber).where(
                Job.tenant == tenant, Job.idempotency_key == key
            )
        ).one_or_none()
    if earlier is None:
        return None
    same = {
        "process": earlier.process == process,
        "request": earlier.request == request,
        "subscriber": _addresses(earlier.subscriber) == _addresses(subscriber),
    }
    if differing := " and ".join(name for name, equal in same.items() if not equal):
        raise IdempotencyKeyReused(
            f"The idempotency key {key!r} stands for job {earlier.id}, which has another "
            f"{differing} than this one. Use a new key for a new request."
        )
    job: UUID = earlier.id
    return job


def _addresses(subscriber: dict[str, Any] | None) -> dict[str, Any]:
    # Not ``base``: the same client may reach the API by another address.
    return {name: uri for name, uri in (subscriber or {}).items() if name.endswith("Uri")}


def _insert(database: Database, job: Submission, quota: Quota) -> UUID:
    job_id, first = uuid4(), job.first
    with Session(database) as session, session.begin():
        tiles = sum(phase.grid.items for phase in job.phases if phase.grid)
        quota.check(session, job.tenant, tiles, job.priority)
        source = _source(session, job)
        moment = session.scalar(select(now()))
        session.execute(
            insert(Job).values(
                id=job_id,
                tenant=job.tenant,
                process=job.process,
                phase=first.name,
                request=job.request,
                plan=job.plan,
                priority=job.priority,
                content=job.content,
                idempotency_key=job.idempotency_key,
                subscriber=job.subscriber,
                warnings=list(job.warnings),
                request_id=job.request_id,
                message="waiting for a worker",
                created=moment,
                updated=moment,
            )
        )
        session.execute(
            insert(Phase).execution_options(render_nulls=True),  # one statement for all
            [_row(job_id, position, phase) for position, phase in enumerate(job.phases)],
        )
        if source is None:
            open_phase(session, job_id, first.name, first.units)
        elif _take_over(session, source, job_id, first.name) == 0:
            advance(session, job_id, first.name, None)
    return job_id


def _row(job_id: UUID, position: int, phase: PhasePlan) -> dict[str, Any]:
    grid = phase.grid
    return {
        "job_id": job_id,
        "name": phase.name,
        "position": position,
        "share": phase.share,
        "doing": phase.doing,
        "items": grid.items if grid else 0,
        "noun": phase.noun,
        "rows": grid and grid.rows,
        "cols": grid and grid.cols,
        "side": grid and grid.side,
        "skips": phase.skips,
        "shared": phase.shared,
        "total": phase.units,
        "remaining": phase.units,
    }


def _source(session: Session, job: Submission) -> UUID | None:
    """The job that has done most of the same; locked, so that it is not dismissed now."""
    if not job.first.shared:
        return None
    return session.scalar(
        select(Job.id)
        .join(Phase, Phase.job_id == Job.id)
        .where(
            Job.content == job.content,
            Job.tenant == job.tenant,
            Job.process == job.process,
            Job.state != JobState.DISMISSED,
            Phase.name == job.first.name,
            Phase.remaining < Phase.total,
        )
        .order_by(Phase.remaining, Job.created)
        .limit(1)
        .with_for_update(of=Job)
    )


def _take_over(session: Session, source: UUID, job_id: UUID, phase: str) -> int:
    """Copy a job's units of a phase, those not settled as pending; how many are pending."""
    kept = Unit.state.in_(SETTLED_UNIT)
    state = case((kept, Unit.state), else_=literal(UnitState.PENDING, Unit.state.type))
    copied = {
        "id": new_id(),
        "job_id": literal(job_id, Unit.job_id.type),
        "phase": Unit.phase,
        "position": Unit.position,
        "root": Unit.root,
        "window": Unit.rectangle,  # by the name of its column
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
            select(*copied.values()).where(Unit.job_id == source, Unit.phase == phase),
            include_defaults=False,
        )
    )
    own = (Unit.job_id == job_id, Unit.phase == phase)
    pending = select(func.count()).select_from(Unit).where(*own, ~kept).scalar_subquery()
    theirs = select(Phase.total, Phase.items_done).where(
        Phase.job_id == source, Phase.name == phase
    )
    total, items = session.execute(theirs).one()
    remaining = session.scalar(
        update(Phase)
        .where(Phase.job_id == job_id, Phase.name == phase)
        .values(total=total, remaining=pending, items_done=items, items_reused=items)
        .returning(Phase.remaining)
    )
    return remaining or 0
