"""Messages to jobs' subscribers, put down with the state they tell of: at least once each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.retries import Backoff
from geogaze.ledger.tables import Delivery, Job, now


@dataclass(frozen=True)
class Due:
    """A message to send: what happened to which job, where to, and the API's address then."""

    id: UUID
    job_id: UUID
    event: str
    uri: str
    attempt: int
    base: str


class Deliveries:
    """The outbox. Several processes may empty it at once.

    Args:
        database: where it is.
        backoff: how long a message waits that was not taken.
    """

    def __init__(self, database: Database, backoff: Backoff) -> None:
        self._database = database
        self._backoff = backoff

    def take(
        self, *, hold_seconds: float, max_attempts: int, besides: Iterable[str] = ()
    ) -> Due | None:
        """Take one due message; no other process gets it while it is held.

        Args:
            hold_seconds: how long.
            max_attempts: tries that a message has.
            besides: beginnings of addresses whose messages are let be.
        """
        with Session(self._database) as session, session.begin():
            due = session.execute(
                select(Delivery, Job.subscriber)
                .join(Job, Job.id == Delivery.job_id)
                .where(
                    Delivery.delivered.is_(None),
                    Delivery.attempt < max_attempts,
                    Delivery.next_attempt_at <= now(),
                    *(~Delivery.uri.startswith(start, autoescape=True) for start in besides),
                )
                .order_by(Delivery.next_attempt_at)
                .limit(1)
                .with_for_update(of=Delivery, skip_locked=True)
            ).one_or_none()
            if due is None:
                return None
            delivery, subscriber = due
            delivery.attempt += 1
            delivery.next_attempt_at = (session.scalar(select(now())) or 0.0) + hold_seconds
            base = (subscriber or {}).get("base", "")
            return Due(
                delivery.id, delivery.job_id, delivery.event, delivery.uri, delivery.attempt, base
            )

    def delivered(self, due: Due) -> None:
        """Note that a message was taken."""
        self._note(due, delivered=now(), error=None)

    def failed(self, due: Due, error: str) -> None:
        """Note that it was not; it is sent again after a while, ever longer, with full jitter."""
        delay = self._backoff.seconds(due.attempt)
        self._note(due, next_attempt_at=now() + delay, error=error)

    def _note(self, due: Due, **values: object) -> None:
        with Session(self._database) as session, session.begin():
            session.execute(update(Delivery).where(Delivery.id == due.id).values(values))
