"""Messages that subscribers are still to get."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.tables import Delivery, now
from geogaze.metrics.table import Metric, Readings

_LATE_SECONDS = 300.0  # what has been due for so long was given up, or no API is there to send it


def _read(database: Database) -> Readings:
    waiting = (Delivery.delivered.is_(None), Delivery.next_attempt_at > now() - _LATE_SECONDS)
    with Session(database) as session:
        return {(): session.scalar(select(func.count(Delivery.id)).where(*waiting)) or 0}


WAITING = Metric(
    "geogaze_callbacks_waiting",
    "Messages to subscribers that are due, or wait for another try.",
    "gauge",
    (),
    _read,
)
