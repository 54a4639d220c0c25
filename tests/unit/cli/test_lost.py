"""``geogaze lost``, on a ledger in SQLite that was backed up and restored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from geogaze.config import Settings
from geogaze.ledger.queue import Queue
from geogaze.ledger.states import JobState
from geogaze.processes.echo import EchoRequest
from geogaze.processes.echo import make_plan as make_echo
from geogaze.processes.submit import submit
from geogaze.runner.work import Worker
from tests.unit.cli.conftest import Geogaze


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}", storage=str(tmp_path / "objects")
    )
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("GEOGAZE_STORAGE", settings.storage)
    return settings


@pytest.fixture
def worker(settings: Settings) -> Worker:
    worker = Worker.from_settings(settings)
    worker.resources.ledger.create_tables()
    return worker


def finished(worker: Worker, words: str) -> UUID:
    ledger, request = worker.resources.ledger, EchoRequest.parse({"string": words})
    job = submit(ledger, request, make_echo(request, worker.resources.settings, local=False))
    (message,) = Queue(ledger.database).dispatch(1)
    assert worker.run(message.unit)
    return job


def backed_up(source: Path, target: Path) -> None:
    """As the documentation has it."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_what_a_restore_has_lost_is_told_and_ended(
    geogaze: Geogaze, worker: Worker, tmp_path: Path
) -> None:
    kept, removed = finished(worker, "kept"), finished(worker, "removed after the backup")
    backed_up(tmp_path / "ledger.db", tmp_path / "backup.db")
    ledger, storage = worker.resources.ledger, worker.resources.storage
    assert geogaze("lost").out.strip() == "Nothing is lost."
    storage.delete(f"jobs/{removed}/")
    ledger.database.dispose()
    for left in tmp_path.glob("ledger.db*"):
        left.unlink()
    backed_up(tmp_path / "backup.db", tmp_path / "ledger.db")

    told = geogaze("lost")
    assert told.code == 1
    assert str(removed) in told.out
    assert str(kept) not in told.out
    done = geogaze("lost", "--dismiss", "--json")
    assert done.code == 0
    (document,) = done.last
    assert (document["job"], document["status"]) == (str(removed), "successful")
    part, *files = document["missing"]
    assert part == f"jobs/{removed}/echo/0/1/"
    assert files == [f"{part}echo.json", f"{part}string.json"]
    assert ledger.status(removed).message == "its files were lost"
    assert ledger.status(kept).state is JobState.SUCCESSFUL
    assert geogaze("lost").out.strip() == "Nothing is lost."
    ledger.database.dispose()
