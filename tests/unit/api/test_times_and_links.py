"""What lists and results depend on besides jobs: the clock's zone, odd pages, settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.storage import FolderStorage
from tests.unit.api.test_jobs import end, ids, link, place
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.ledger.suite import submit


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server whose clock shows another zone than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_times_without_a_zone_are_utc_wherever_the_server_stands(
    http: TestClient, ledger: Ledger
) -> None:
    job = submit(ledger)
    place(ledger, job, datetime(2026, 5, 3, 12, tzinfo=UTC))
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T12:00:00"})) == [str(job)]
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T21:00:00+09:00"})) == [str(job)]
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T21:00:00"})) == []


def test_the_page_before_an_odd_one_is_the_first(http: TestClient, ledger: Ledger) -> None:
    for _ in range(3):
        submit(ledger)
    odd = http.get("/jobs", params={"limit": 2, "offset": 1})
    before = http.get(link(odd, "prev") or "")
    assert ids(before) == ids(http.get("/jobs", params={"limit": 2}))


def publish(ledger: Ledger, job: UUID, assets: dict[str, Any]) -> None:
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(assets=assets))


def test_links_to_products_work_as_long_as_the_settings_say(
    tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def remember(self: FolderStorage, key: str, seconds: int) -> str:
        asked.append((key, seconds))
        return f"https://s3.example/{key}"

    monkeypatch.setattr(FolderStorage, "link", remember)
    settings = make_settings(tmp_path, bundle_folder).model_copy(update={"presign_seconds": 77})
    app = make_app(settings)
    ledger: Ledger = app.state.services.ledger
    with TestClient(app) as http:
        job = submit(ledger)
        end(ledger, job, JobState.SUCCESSFUL)
        made = {"key": "jobs/1/heat.tif", "file": "heat.tif", "type": "image/tiff"}
        publish(ledger, job, {"files": {"heat-boat": made}, "skipped": []})
        found = http.get(f"/jobs/{job}/results").json()
    assert asked == [("jobs/1/heat.tif", 77)]
    assert found["heat-boat"]["href"] == "https://s3.example/jobs/1/heat.tif"
