"""What jobs took of workers: put down with each unit that ends, told by phase and device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.ledger.tables import Usage

CPU = "cpu"
"""The device of a worker without a GPU."""


@dataclass(frozen=True)
class Effort:
    """What an attempt at a unit took of a worker.

    Attributes:
        device: what the worker's networks run on: ``cpu``, or the name of a GPU.
        seconds: of the worker, of whose time units in hand side by side have equal shares.
        cores: that the worker may use.
    """

    device: str
    seconds: float
    cores: int


@dataclass(frozen=True)
class Spent:
    """What workers on one kind of device spent on a phase of a job, attempts that failed included.

    ``items`` are those that were done by it.
    """

    phase: str
    device: str
    items: int
    seconds: float
    core_seconds: float

    @property
    def gpu_seconds(self) -> float:
        """Seconds of a GPU, which a worker has for itself."""
        return 0.0 if self.device == CPU else self.seconds


@dataclass(frozen=True)
class Earlier:
    """A job that succeeded, all of whose items were its own.

    Attributes:
        plan: its plan, as it was kept.
        spent: on its phases.
        elapsed: seconds from its first unit's claim to its end.
        size: bytes of its products.
    """

    plan: dict[str, Any]
    spent: Sequence[Spent]
    elapsed: float
    size: int


def put_down(session: Session, job_id: UUID, phase: str, effort: Effort, items: int = 0) -> None:
    """Add what an attempt took, in the transaction that settles it and has locked its job."""
    core_seconds = effort.seconds * effort.cores
    row = session.get(Usage, (job_id, phase, effort.device))
    if row is None:
        row = Usage(job_id=job_id, phase=phase, device=effort.device)
        row.items, row.seconds, row.core_seconds = 0, 0.0, 0.0
        session.add(row)
    row.items += items
    row.seconds += effort.seconds
    row.core_seconds += core_seconds


def spent_on(session: Session, jobs: Iterable[UUID]) -> dict[UUID, list[Spent]]:
    """What was spent on jobs, by job."""
    found: defaultdict[UUID, list[Spent]] = defaultdict(list)
    rows = session.scalars(
        select(Usage).where(Usage.job_id.in_(list(jobs))).order_by(Usage.phase, Usage.device)
    )
    for row in rows:
        found[row.job_id].append(told(row))
    return found


def told(row: Usage) -> Spent:
    """A row for others."""
    return Spent(row.phase, row.device, row.items, row.seconds, row.core_seconds)
