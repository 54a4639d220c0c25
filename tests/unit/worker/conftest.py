"""A ledger on SQLite, a folder for objects, and a worker whose work is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from geogaze.config import Settings
from geogaze.ledger.database import connect
from geogaze.ledger.records import Claim
from geogaze.ledger.store import Ledger
from geogaze.runner import work
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.work import Worker

AWAY: list[Exception] = [
    OperationalError("UPDATE units", {}, ConnectionError("server closed the connection")),
    # What a server says that became a standby: psycopg has it as an internal error.
    InternalError("UPDATE units", {}, psycopg.errors.ReadOnlySqlTransaction("cannot execute")),
    PoolTimeout("QueuePool limit of size 5 overflow 10 reached"),
]
"""What a database raises that may be back the next time."""

Task = Callable[[Resources, Claim, Pulse], Outcome]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        storage=str(tmp_path / "objects"),
        scratch=tmp_path,
        lease_seconds=30,
        redeliver_seconds=30,
        dispatch_interval=0.01,
        max_attempts=3,
    )


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    engine = connect(settings.database_url)
    ledger = Ledger(engine)
    ledger.create_tables()
    yield ledger
    engine.dispose()


@pytest.fixture
def worker(settings: Settings, ledger: Ledger) -> Iterator[Worker]:
    worker = Worker.from_settings(settings)
    yield worker
    worker.resources.ledger.database.dispose()


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Task], None]:
    """Say what a unit's work is. Before it, a part is written."""

    def set_task(task: Task) -> None:
        def perform(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
            resources.storage.put(f"{claim.prefix}part", b"evidence")
            return task(resources, claim, pulse)

        monkeypatch.setattr(work, "perform", perform)

    return set_task


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What is logged, instead of rendered tracebacks."""
    merge = structlog.contextvars.merge_contextvars
    with structlog.testing.capture_logs(processors=[merge]) as entries:
        yield entries
