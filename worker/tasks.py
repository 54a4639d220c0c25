"""Celery's tasks: thin."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from geogaze.config import get_settings
from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Worker
from worker.app import app


@cache
def these_lanes() -> Lanes:
    """The process's lanes, with its model kept loaded between units."""
    settings = get_settings()
    worker = Worker.from_settings(settings)
    worker.enlist()
    return Lanes(worker, settings.lanes)


@app.task(name="geogaze.run_unit")
def run_unit(unit: str) -> None:
    """Start a unit of work, if it is still to be had, and return once a lane is free again.

    The message is done with then: the ledger's lease, not the broker, knows of the unit's end.
    """
    these_lanes().take(UUID(unit))
