"""Workers that are alive."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.ledger.database import Database
from geogaze.ledger.queue import Queue
from geogaze.ledger.tables import WorkerSeen
from geogaze.ledger.workers import is_alive
from geogaze.metrics.table import Metric, Readings


def _read(database: Database) -> Readings:
    return {(): Queue(database).slots()}


def _count(database: Database) -> Readings:
    with Session(database) as session:
        counted = session.execute(
            select(WorkerSeen.device, func.count()).where(is_alive()).group_by(WorkerSeen.device)
        ).all()
    # Without any there is a 0: alerts are on what is there.
    return {(device or "unknown",): count for device, count in counted} or {("none",): 0}


SLOTS = Metric(
    "geogaze_worker_slots",
    "Units that all living workers together take at once.",
    "gauge",
    (),
    _read,
)
ALIVE = Metric("geogaze_workers", "Living workers by device.", "gauge", ("device",), _count)
