"""Which jobs still need a model."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB
from geogaze.ledger.tables import Job
from geogaze.models.versions import ModelInUse

_FEW = 5


def check_unused(database: Database, models: Iterable[str]) -> None:
    """Refuse where jobs that have not ended, of whatever tenant, were planned with a model.

    Args:
        database: the ledger's.
        models: as plans name them.

    Raises:
        ModelInUse: says which jobs.
    """
    named = Job.plan[("bundle", "name")].as_string()
    with Session(database) as session:
        jobs = session.execute(
            select(Job.id, named)
            .where(Job.state.in_(OPEN_JOB), named.in_(list(models)))
            .order_by(Job.created, Job.id)
        ).all()
    if jobs:
        some = ", ".join(f"{job} ({model})" for job, model in jobs[:_FEW])
        more = f" and {len(jobs) - _FEW:,} more" if len(jobs) > _FEW else ""
        raise ModelInUse(
            f"Unfinished jobs need it: {some}{more}. Wait for them, or dismiss them, before."
        )
