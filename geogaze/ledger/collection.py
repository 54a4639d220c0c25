"""What nothing refers to any more, so that the sweeper may remove it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from geogaze.errors import IllegalTransition
from geogaze.ledger.database import Database
from geogaze.ledger.records import Kept
from geogaze.ledger.states import OPEN_JOB, JobState, UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Entry, Job, Unit, WorkerSeen, now
from geogaze.ledger.transitions import lock_job

_AT_ONCE = 500
_FORGET_SECONDS = 86_400.0


class Collection:
    """The sweeper's side of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def expire(
        self, seconds: float, by_tenant: Mapping[str, float] = MappingProxyType({})
    ) -> list[UUID]:
        """Dismiss jobs that ended longer ago than this, or than some tenants have it, and name
        them.
        """
        ended = (JobState.SUCCESSFUL, JobState.FAILED)
        kept = case(dict(by_tenant), value=Job.tenant, else_=seconds) if by_tenant else seconds
        with Session(self._database) as session:
            due = session.scalars(
                select(Job.id).where(Job.state.in_(ended), Job.finished < now() - kept)
            ).all()
        ledger = Ledger(self._database)
        expired = []
        for job in due:
            with suppress(IllegalTransition):  # it was dismissed in the meantime
                ledger.dismiss(job, "expired")
                expired.append(job)
        return expired

    def forget_workers(self) -> int:
        """Remove what was told of workers that have been dead for a day; how many."""
        with Session(self._database) as session, session.begin():
            old = WorkerSeen.seen < now() - _FORGET_SECONDS
            gone = delete(WorkerSeen).where(old).returning(WorkerSeen.name)
            return len(session.scalars(gone).all())

    def dismissed(self) -> list[tuple[UUID, str]]:
        """Jobs that were dismissed and whose objects are still to be removed, with content."""
        with Session(self._database) as session:
            rows = session.execute(
                select(Job.id, Job.content)
                .where(Job.state == JobState.DISMISSED, Job.released.is_(None))
                .limit(_AT_ONCE)
            )
            return [(row.id, row.content) for row in rows]

    def released(self, job_id: UUID) -> None:
        """Note that a dismissed job's objects are gone; its record stays, without its units and
        its place in the catalogue.
        """
        with Session(self._database) as session, session.begin():
            lock_job(session, job_id)
            busy = session.scalar(
                select(func.count())
                .select_from(Unit)
                .where(
                    Unit.job_id == job_id,
                    Unit.state == UnitState.RUNNING,
                    Unit.lease_until >= now(),
                )
            )
            if busy:
                return  # a worker that has not noticed yet may still write
            session.execute(delete(Unit).where(Unit.job_id == job_id))
            session.execute(delete(Entry).where(Entry.job_id == job_id))
            session.execute(update(Job).where(Job.id == job_id).values(released=now()))

    def kept(self) -> Iterator[Kept]:
        """What each job needs of storage that was not dismissed, oldest first."""
        with Session(self._database) as session:
            jobs = session.scalars(
                select(Job.id).where(Job.state != JobState.DISMISSED).order_by(Job.created, Job.id)
            ).all()
        for job_id in jobs:
            with Session(self._database) as session:
                job = session.get(Job, job_id)
                if job is None or job.state is JobState.DISMISSED:
                    continue
                units = session.execute(
                    select(Unit.phase, Unit.prefix)
                    .where(Unit.job_id == job_id, Unit.state == UnitState.DONE)
                    .order_by(Unit.phase, Unit.position)
                )
                files = (job.assets or {}).get("files", {}).values()
                yield Kept(
                    job=job.id,
                    tenant=job.tenant,
                    process=job.process,
                    state=job.state,
                    content=job.content,
                    prefixes=tuple((unit.phase, unit.prefix or "") for unit in units),
                    files=tuple(file["key"] for file in files),
                )

    def living(self, prefixes: set[str]) -> set[str]:
        """Those of some attempts' prefixes that are visible, or that a worker may yet finish.

        Ask after listing the objects: an attempt is in the ledger before it writes, so what was
        listed and is not living now never will be.
        """
        wanted = sorted(prefixes)
        living: set[str] = set()
        needed = or_(
            and_(Unit.state == UnitState.DONE, Job.state != JobState.DISMISSED),
            and_(Unit.state == UnitState.RUNNING, Job.state.in_(OPEN_JOB)),
        )
        with Session(self._database) as session:
            for start in range(0, len(wanted), _AT_ONCE):
                these = session.scalars(
                    select(Unit.prefix)
                    .join(Job, Job.id == Unit.job_id)
                    .where(Unit.prefix.in_(wanted[start : start + _AT_ONCE]), needed)
                )
                living.update(prefix for prefix in these if prefix)
        return living
