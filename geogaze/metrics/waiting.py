"""How long open jobs have been without news, and what is left of them."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB
from geogaze.ledger.tables import Job, Phase, now
from geogaze.metrics.table import Metric, Readings


def _age(database: Database) -> Readings:
    with Session(database) as session:
        oldest = session.execute(
            select(Job.state, now() - func.min(Job.updated))
            .where(Job.state.in_(OPEN_JOB))
            .group_by(Job.state)
        ).all()
    ages: dict[tuple[str, ...], float] = {(state.value,): 0.0 for state in OPEN_JOB}
    return ages | {(state.value,): max(0.0, age) for state, age in oldest}


def _left(database: Database) -> Readings:
    with Session(database) as session:
        left = session.scalar(
            select(func.sum(Phase.items - Phase.items_done))
            .join(Job, Job.id == Phase.job_id)
            .where(Job.state.in_(OPEN_JOB), Phase.remaining > 0)
        )
    return {(): left or 0}


AGE = Metric(
    "geogaze_queue_age_seconds",
    "Longest that an open job has been without a unit that began its work or ended, by the job's "
    "state: accepted ones wait for their first.",
    "gauge",
    ("state",),
    _age,
)
LEFT = Metric("geogaze_tiles_left", "Tiles of open jobs still to be explained.", "gauge", (), _left)
