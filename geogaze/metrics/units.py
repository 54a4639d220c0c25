"""Units of work by phase, state and tenant, and how many could start."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.states import OPEN_JOB, UnitState
from geogaze.ledger.tables import Job, Unit, now
from geogaze.metrics.table import Metric, Readings


def _read(database: Database) -> Readings:
    with Session(database) as session:
        counted = session.execute(
            select(Unit.phase, Unit.state, Job.tenant, func.count())
            .join(Job, Job.id == Unit.job_id)
            .where(Job.state.in_(OPEN_JOB))  # those of jobs that ended only pile up
            .group_by(Unit.phase, Unit.state, Job.tenant)
        ).all()
    return {(str(phase), state.value, tenant): count for phase, state, tenant, count in counted}


def _due(database: Database) -> Readings:
    moment = select(now()).scalar_subquery()  # the clock is asked once, not for each unit
    waiting = (UnitState.PENDING, UnitState.DISPATCHED)
    with Session(database) as session:
        due = session.scalar(
            select(func.count())
            .select_from(Unit)
            .join(Job, Job.id == Unit.job_id)
            .where(
                Job.state.in_(OPEN_JOB),
                Unit.state.in_(waiting),
                Unit.next_attempt_at <= moment,  # what was handed out was due then
            )
        )
    return {(): due or 0}


UNITS = Metric(
    "geogaze_units",
    "Units of work of open jobs by phase, state and tenant.",
    "gauge",
    ("phase", "state", "tenant"),
    _read,
    users="tenant",
)
DUE = Metric(
    "geogaze_units_due",
    "Units that could start now and wait for a worker, those in the broker among them.",
    "gauge",
    (),
    _due,
)
