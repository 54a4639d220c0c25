"""A worker for the jobs that tests submit over HTTP."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.runner.work import Worker
from tests.unit.api.testing import due


def work_off(settings: Settings) -> None:
    """Do what is due, one unit after the other, until nothing is."""
    worker = Worker.from_settings(settings)
    database = worker.resources.ledger.database
    while unit := due(database):
        assert worker.run(unit)
    database.dispose()
