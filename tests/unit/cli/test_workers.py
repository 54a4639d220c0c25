"""``geogaze workers`` and the route behind it: who is at work, and at what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from geogaze.intervals import instant
from geogaze.ledger.claims import Claims
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.store import Ledger
from geogaze.ledger.workers import Report, Workers
from geogaze.version import VERSION
from tests.unit.api.serving import served
from tests.unit.api.testing import due, make_app, make_settings
from tests.unit.cli.conftest import Geogaze
from tests.unit.ledger.suite import patience, submission

NAME = "gpu-3:0a1b2c3d4e5f:17"


@pytest.fixture
def app(tmp_path: Path, bundle_folder: Path) -> Iterator[FastAPI]:
    app = make_app(make_settings(tmp_path, bundle_folder).model_copy(update={"keys": True}))
    yield app
    app.state.services.ledger.database.dispose()


def test_workers_are_listed_with_what_they_have_in_hand(
    geogaze: Geogaze, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger: Ledger = app.state.services.ledger
    keys = Keys(ledger.database)
    _, admin = keys.create("op", tenant="ops", scopes={Scope.ADMIN})
    _, user = keys.create("anna", tenant="harbour", scopes={Scope.READ, Scope.SUBMIT})
    with served(app) as url:
        monkeypatch.setenv("GEOGAZE_API_URL", url)
        monkeypatch.setenv("GEOGAZE_API_KEY", user)
        assert geogaze("workers").code == 2, "it tells of others' jobs"
        monkeypatch.setenv("GEOGAZE_API_KEY", admin)
        assert "No worker is alive" in geogaze("workers").out
        assert geogaze("workers", "--json").last == []

        job = ledger.submit(submission(2, tenant="harbour"))
        workers = Workers(ledger.database)
        workers.report(Report(NAME, 2, "cuda:0 NVIDIA H200", "ships"))
        workers.report(Report("old:1:2", 2))
        unit = due(ledger.database)
        assert unit
        claim = Claims(ledger.database, lease_seconds=30, patience=patience(3)).claim(unit, NAME)
        assert claim

        found, old = geogaze("workers", "--json").last
        seen = found.pop("seen")
        assert instant(found.pop("started")) <= instant(seen)
        assert found == {
            "name": NAME,
            "host": "gpu-3",
            "device": "cuda:0 NVIDIA H200",
            "model": "ships",
            "slots": 2,
            "version": VERSION,
            "units": [
                {
                    "job": str(job),
                    "tenant": "harbour",
                    "phase": "explain",
                    "unit": claim.position,
                    "attempt": 1,
                    "tilesDone": 0,
                }
            ],
        }
        assert (old["host"], old["units"], old.get("device")) == ("old", [], None)
        monkeypatch.setenv("COLUMNS", "100")
        heading, line, other = geogaze("workers").out.splitlines()
        assert heading.split()[:2] == ["worker", "device"]
        assert line.split()[0] == "gpu-3:17"
        assert f"{str(job)[:8]} explain {claim.position}" in line
        assert other.split()[:3] == ["old:2", "–", "–"]
