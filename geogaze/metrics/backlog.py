"""How long one worker would be at all that open jobs still have to do."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB, UnitState
from geogaze.ledger.tables import Job, Phase, Unit, Usage, now
from geogaze.metrics.table import Metric, Readings

_LATELY = 7 * 86400.0  # jobs that tell how long others take
_UNKNOWN = 0.1  # seconds of a worker for an item, while no job has told
_UNIT = 1.0  # … and for a unit without items: so that an open job is never nothing


def _read(database: Database) -> Readings:
    # By its name: PostgreSQL takes the expression, whose parameters it knows apart, for another.
    model = Job.request["model"].as_string().label("network")
    with Session(database) as session:
        took: defaultdict[str | None, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for name, seconds, items in session.execute(
            select(model, func.sum(Usage.seconds), func.sum(Usage.items))
            .join(Usage, Usage.job_id == Job.id)
            .where(Job.updated > now() - _LATELY)
            .group_by("network")
        ):
            for whose in (name, None):  # of its model, and of all
                took[whose][0] += seconds
                took[whose][1] += items
        left = session.execute(
            select(model, func.sum(Phase.items - Phase.items_done))
            .join(Phase, Phase.job_id == Job.id)
            .where(Job.state.in_(OPEN_JOB), Phase.remaining > 0)
            .group_by("network")
        ).all()
        units = session.scalar(
            select(func.count())
            .select_from(Unit)
            .join(Job, Job.id == Unit.job_id)
            .where(
                Job.state.in_(OPEN_JOB),
                Unit.state.in_((UnitState.PENDING, UnitState.DISPATCHED, UnitState.RUNNING)),
            )
        )
    rates = {name: seconds / items for name, (seconds, items) in took.items() if items}
    usual = rates.get(None, _UNKNOWN)
    seconds = sum((items or 0) * rates.get(name, usual) for name, items in left)
    return {(): max(seconds, (units or 0) * _UNIT)}


BACKLOG = Metric(
    "geogaze_backlog_seconds",
    "Seconds that one worker would be at all that open jobs still have to do, by what jobs of "
    "their models took in the last week.",
    "gauge",
    (),
    _read,
)
