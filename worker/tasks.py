"""Celery's tasks: thin."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from geogaze.config import get_settings
from geogaze.runner.work import Worker
from worker.app import app


@cache
def this_worker() -> Worker:
    """The process's worker, with its model kept loaded between units."""
    return Worker.from_settings(get_settings())


@app.task(name="geogaze.run_unit")
def run_unit(unit: str) -> None:
    """Do a unit of work, if it is still to be had."""
    this_worker().run(UUID(unit))
