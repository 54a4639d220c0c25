"""A ledger on SQLite and a folder for objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from geogaze.config import Settings
from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        storage=str(tmp_path / "objects"),
        lease_seconds=30,
        redeliver_seconds=30,
        dispatch_interval=0.01,
        max_in_flight=3,
        max_attempts=3,
    )


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    engine = connect(settings.database_url)
    ledger = Ledger(engine)
    ledger.create_tables()
    yield ledger
    engine.dispose()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What is logged, instead of rendered tracebacks."""
    with structlog.testing.capture_logs() as entries:
        yield entries
