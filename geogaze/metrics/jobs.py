"""Jobs by state."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import JobState
from geogaze.ledger.tables import Job
from geogaze.metrics.table import Metric, Readings


def _read(database: Database) -> Readings:
    with Session(database) as session:
        counted = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    # A state without jobs is 0, not absent: alerts are on what is there.
    jobs: dict[tuple[str, ...], float] = {(state.value,): 0 for state in JobState}
    return jobs | {(state.value,): count for state, count in counted}


JOBS = Metric("geogaze_jobs", "Jobs in the ledger by state.", "gauge", ("state",), _read)
