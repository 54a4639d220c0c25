"""How much one tenant may have: open jobs, tiles in a day, bytes of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import case, exists, func, or_, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from geogaze.config import Settings
from geogaze.errors import GeogazeError, InvalidRequest
from geogaze.ledger.states import OPEN_JOB, URGENCY, JobState
from geogaze.ledger.tables import Job, Phase, now

_DAY = 86_400.0
_ASK_AGAIN = {"jobs": 60.0, "bytes": 3600.0}  # seconds: nobody knows when there is room


class QuotaExceeded(GeogazeError):
    """A tenant has as much as it may have.

    Attributes:
        seconds: after which it may be worth asking again.
    """

    status = 429
    slug = "quota-exceeded"
    title = "That is more than you may have"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class PriorityTooHigh(InvalidRequest):
    """A job asks to go before others, and may not."""

    status = 403
    slug = "priority-too-high"
    title = "You may not be that urgent"


@dataclass(frozen=True)
class Quota:
    """What one tenant may have; None: as much as it likes.

    Attributes:
        jobs: that have not ended.
        tiles: begun within a day, without those that were taken over from earlier jobs; of a job
            that began anew, those that it had still to do.
        bytes: of products that are kept.
        priority: the highest that its jobs may have.
    """

    jobs: int | None = None
    tiles: int | None = None
    bytes: int | None = None
    priority: int = max(URGENCY.values())

    @classmethod
    def of(cls, settings: Settings) -> Quota:
        """What the operator lets everybody have."""
        most = (settings.quota_jobs, settings.quota_tiles, settings.quota_bytes)
        return cls(*most, priority=URGENCY[settings.top_priority])

    def check(self, session: Session, tenant: str, tiles: int, priority: int) -> None:
        """Refuse one more job, of so many tiles, where that is too much.

        Within the transaction that writes the job: others of the tenant wait for it.

        Raises:
            QuotaExceeded: it is.
            PriorityTooHigh: it wants to go before others more than it may.
        """
        if priority > self.priority:
            words = {number: word for word, number in URGENCY.items()}
            raise PriorityTooHigh(
                f"priority: {words.get(priority, priority)!r} is more urgent than "
                f"{words[self.priority]!r}, which is the most here (GEOGAZE_TOP_PRIORITY)."
            )
        self.wait_turn(session, tenant)
        self._check_amounts(session, tenant, tiles)

    def wait_turn(self, session: Session, tenant: str) -> None:
        """Let others of the tenant's that are being accepted end; before any row is locked."""
        if not self.jobs is self.tiles is self.bytes is None:
            session.execute(select(_one_at_a_time(tenant)))

    def check_retry(self, session: Session, tenant: str, job_id: UUID) -> None:
        """Refuse that a job begins anew where that is too much, and count it from now on.

        Within the transaction that begins it, once it was its turn.

        Raises:
            QuotaExceeded: it is.
        """
        left = select(func.coalesce(func.sum(Phase.items - Phase.items_done), 0))
        tiles = session.scalar(left.where(Phase.job_id == job_id)) or 0
        self._check_amounts(session, tenant, tiles)
        again = exists().where(Job.id == Phase.job_id, Job.retried > now() - _DAY)
        session.execute(
            update(Phase)
            .where(Phase.job_id == job_id, ~again)
            .values(items_before=Phase.items_done)
        )
        session.execute(update(Job).where(Job.id == job_id).values(retried=now()))

    def _check_amounts(self, session: Session, tenant: str, tiles: int) -> None:
        ours = Job.tenant == tenant
        if self.jobs is not None:
            counted = select(func.count()).where(ours, Job.state.in_(OPEN_JOB))
            self._refuse("jobs", session.scalar(counted) or 0, 1, self.jobs, "open jobs")
        if self.tiles is not None:
            begun = case((Job.state.in_(OPEN_JOB), Phase.items), else_=Phase.items_done)
            young = Job.created > now() - _DAY
            before = case((young, Phase.items_reused), else_=func.coalesce(Phase.items_before, 0))
            recent = (ours, or_(young, Job.retried > now() - _DAY))
            begun_today = (
                select(func.coalesce(func.sum(begun - before), 0))
                .join(Job, Job.id == Phase.job_id)
                .where(*recent)
            )
            began = case((young, Job.created), else_=Job.retried)
            oldest = select(func.min(began) + _DAY - now()).where(*recent)
            left = session.scalar(oldest) or _DAY
            self._refuse(
                "tiles", session.scalar(begun_today) or 0, tiles, self.tiles, "tiles in a day", left
            )
        if self.bytes is not None:
            kept = (ours, Job.state == JobState.SUCCESSFUL)
            bytes_kept = select(func.coalesce(func.sum(Job.size), 0)).where(*kept)
            had = int(session.scalar(bytes_kept) or 0)
            self._refuse("bytes", had, 0 if had < self.bytes else 1, self.bytes, "bytes kept")

    def _refuse(
        self, which: str, had: int, more: int, most: int, words: str, seconds: float | None = None
    ) -> None:
        if had + more > most:
            asks = f" and this asks for {more}" if which == "tiles" else ""
            raise QuotaExceeded(
                f"You have {had} {words}{asks}; {most} is the most "
                f"(GEOGAZE_QUOTA_{which.upper()}).",
                _ASK_AGAIN[which] if seconds is None else max(1.0, seconds),
            )


class _one_at_a_time(FunctionElement[Any]):  # noqa: N801  used like a SQL function
    """Waits until no other transaction has asked it with the same word."""

    inherit_cache = True


@compiles(_one_at_a_time, "postgresql")
def _lock_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"pg_advisory_xact_lock(hashtext({compiler.process(element.clauses, **options)}))"


@compiles(_one_at_a_time, "sqlite")
def _lock_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))  # its transactions write one by one
