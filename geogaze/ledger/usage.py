"""What jobs took of workers: put down with each unit that ends, told by phase and device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.ledger.spending import Effort, Spent
from geogaze.ledger.tables import Usage


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
