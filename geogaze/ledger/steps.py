"""The only ways to write a state of a job or a unit: by a step that the tables have.

New rows begin in the tables' first state, by default. Whoever takes a step has locked the job's
row before (see :func:`geogaze.ledger.transitions.lock_job`).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Update, update
from sqlalchemy.orm import Session

from geogaze.ledger.states import (
    SETTLED_UNIT,
    JobState,
    UnitState,
    check_unit_step,
    sources,
    unit_sources,
)
from geogaze.ledger.tables import Job, Unit


def job_step(target: JobState, **values: Any) -> Update:
    """An UPDATE of jobs that takes those to a state that may get there, and no other."""
    return update(Job).where(Job.state.in_(sources(target))).values(state=target, **values)


def unit_step(target: UnitState, **values: Any) -> Update:
    """An UPDATE of units that takes those to a state that may get there, and no other."""
    return update(Unit).where(Unit.state.in_(unit_sources(target))).values(state=target, **values)


def move(session: Session, unit: Unit, target: UnitState) -> None:
    """Take a unit that the caller has locked to a state, and say so to the database.

    Raises:
        IllegalTransition: it cannot get there from where it is.
    """
    check_unit_step(unit.state, target)
    unit.state = target
    session.flush()


def begin_anew(session: Session, job_id: UUID) -> None:
    """Let all units of a job that are not settled begin anew, with all their tries.

    Raises:
        IllegalTransition: some could not.
    """
    for state in set(UnitState) - SETTLED_UNIT - {UnitState.PENDING}:
        check_unit_step(state, UnitState.PENDING)
    session.execute(unit_step(UnitState.PENDING).where(Unit.job_id == job_id))
    session.execute(
        update(Unit)
        .where(Unit.job_id == job_id, Unit.state == UnitState.PENDING)
        .values(
            failures=0,
            outages=0,
            next_attempt_at=0.0,
            token=None,
            lease_until=None,
            dispatched_at=None,
        )
    )
