"""Doing anew what storage has lost: a finished unit, and all that rests on it."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from geogaze.grid.rectangles import area
from geogaze.ledger.records import attempt_of
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import UnitState
from geogaze.ledger.tables import Job, Phase, Unit, now
from geogaze.ledger.transitions import rectangle_of


def remake(session: Session, unit: Unit, key: str, patience: Patience) -> bool:
    """Let an object be made anew that a unit has found to be gone.

    A new unit takes the place of the one that made it, which is done; the phases after that one
    begin anew once it is done too. Within a transaction that has locked the job.

    Args:
        session: the transaction.
        unit: who missed the object; it is gone itself then.
        key: of the object.
        patience: how often a unit is made anew, like one that outages end.

    Returns:
        Whether it will be: not where no finished unit of an earlier phase of the job made it, or
        where storage keeps losing it.
    """
    lost = session.scalar(
        select(Unit).where(
            Unit.job_id == unit.job_id,
            Unit.prefix == attempt_of(key),
            Unit.state == UnitState.DONE,
        )
    )
    if lost is None or lost.outages >= patience.outage_patience * patience.max_attempts:
        return False
    of_job = select(Phase).where(Phase.job_id == unit.job_id).order_by(Phase.position)
    phases = {phase.name: phase for phase in session.scalars(of_job)}
    own = phases[lost.phase]
    later = [phase for phase in phases.values() if phase.position > own.position]
    if phases[unit.phase] not in later:
        return False
    for phase in (own, *later):  # what was told does not fall
        told = phase.items_done if phase.items else phase.total - phase.remaining
        phase.items_seen = max(phase.items_seen, told)
    for phase in later:
        phase.total = phase.remaining = phase.grid.count if phase.grid else phase.total
        phase.items_done = 0
    rectangle = rectangle_of(own, lost)
    own.remaining += 1
    own.items_done -= area(rectangle) if rectangle else 0
    again = Unit(
        id=uuid4(),
        job_id=lost.job_id,
        phase=lost.phase,
        position=lost.position,
        root=lost.root,
        rectangle=lost.rectangle,
        attempt=lost.attempt,  # so that none writes where one has written
        outages=lost.outages + 1,
    )
    session.delete(lost)
    session.flush()
    session.add(again)
    rests = (Unit.job_id == unit.job_id, Unit.phase.in_([phase.name for phase in later]))
    session.execute(delete(Unit).where(*rests))
    session.execute(
        update(Job)
        .where(Job.id == again.job_id)
        .values(phase=own.name, last_error=f"{key} is gone from storage.", updated=now())
    )
    return True
