"""Who is at work: worker processes that report regularly, and the units they have in hand."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB, UnitState
from geogaze.ledger.tables import Job, Unit, WorkerSeen, now
from geogaze.version import VERSION

SILENT_SECONDS = 60.0
"""A worker that has not been heard of for so long is dead: six reports."""


@dataclass(frozen=True)
class Report:
    """What a worker process says of itself.

    Attributes:
        name: see :mod:`geogaze.runner.names`.
        slots: units that it takes at once.
        device: what its networks run on; None where that is not known yet.
        model: of its last unit that had one.
    """

    name: str
    slots: int
    device: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class UnitInHand:
    """A unit under a lease that holds; ``items`` of it are done."""

    job: UUID
    tenant: str
    phase: str
    position: int
    attempt: int
    items: int


@dataclass(frozen=True)
class WorkerStatus:
    """A living worker. Times are seconds since 1970, by the database; what a worker of an older
    release does not tell is None.
    """

    report: Report
    version: str | None
    started: float | None
    seen: float
    units: tuple[UnitInHand, ...]


class Workers:
    """The list of workers. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, told: Report) -> None:
        """Put down that a worker lives."""
        with Session(self._database) as session, session.begin():
            moment = session.scalar(select(now())) or 0.0
            row = session.get(WorkerSeen, told.name)
            if row is None:
                row = WorkerSeen(name=told.name, started=moment)
                session.add(row)
            row.slots, row.seen = told.slots, moment
            row.device, row.model, row.version = told.device, told.model, VERSION

    def alive(self) -> list[WorkerStatus]:
        """All living workers, by their names."""
        with Session(self._database) as session:
            rows = session.scalars(select(WorkerSeen).where(is_alive()).order_by(WorkerSeen.name))
            workers = list(rows)
            held: dict[str, list[UnitInHand]] = {row.name: [] for row in workers}
            in_hand = session.execute(
                select(Unit, Job.tenant)
                .join(Job, Job.id == Unit.job_id)
                .where(
                    Unit.state == UnitState.RUNNING,
                    Unit.lease_until >= now(),
                    Job.state.in_(OPEN_JOB),
                )
                .order_by(Unit.job_id, Unit.phase, Unit.position)
            )
            for unit, tenant in in_hand:
                place = (unit.phase, unit.position, unit.attempt, unit.items_done)
                if unit.worker in held:
                    held[unit.worker].append(UnitInHand(unit.job_id, tenant, *place))
            return [
                WorkerStatus(
                    Report(row.name, row.slots, row.device, row.model),
                    row.version,
                    row.started,
                    row.seen,
                    tuple(held[row.name]),
                )
                for row in workers
            ]


def is_alive() -> ColumnElement[bool]:
    """Whether a worker was heard of lately, as a clause."""
    return WorkerSeen.seen > now() - SILENT_SECONDS
