"""Workers that are alive."""

from __future__ import annotations

from geogaze.ledger.database import Database
from geogaze.ledger.queue import Queue
from geogaze.metrics.table import Metric, Readings


def _read(database: Database) -> Readings:
    return {(): Queue(database).slots()}


SLOTS = Metric(
    "geogaze_worker_slots",
    "Units that all living workers together take at once.",
    "gauge",
    (),
    _read,
)
