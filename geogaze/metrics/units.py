"""Units of work by phase and state."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB
from geogaze.ledger.tables import Job, Unit
from geogaze.metrics.table import Metric, Readings


def _read(database: Database) -> Readings:
    with Session(database) as session:
        counted = session.execute(
            select(Unit.phase, Unit.state, func.count())
            .join(Job, Job.id == Unit.job_id)
            .where(Job.state.in_(OPEN_JOB))  # those of jobs that ended only pile up
            .group_by(Unit.phase, Unit.state)
        ).all()
    return {(str(phase), state.value): count for phase, state, count in counted}


UNITS = Metric(
    "geogaze_units",
    "Units of work of open jobs by phase and state.",
    "gauge",
    ("phase", "state"),
    _read,
)
