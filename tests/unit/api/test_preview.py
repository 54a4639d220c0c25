"""The picture of a job over HTTP: none, then more and more of it, then the contact sheet."""

from __future__ import annotations

from pathlib import Path

import pytest

from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.runner.work import Worker
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_jobs import end, link
from tests.unit.api.testing import TestClient, due
from tests.unit.api.working import work_off
from tests.unit.ledger.suite import submit


@pytest.mark.parametrize(
    ("state", "status"),
    [(JobState.RUNNING, 404), (JobState.FAILED, 404), (JobState.DISMISSED, 410)],
)
def test_there_is_no_preview_of_nothing(
    http: TestClient, ledger: Ledger, state: JobState, status: int
) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    check_problem(http.get(f"/jobs/{job}/preview"), status)
    assert link(http.get(f"/jobs/{job}"), "preview") is None


def test_a_job_is_shown_from_its_first_unit_on(
    http: TestClient, settings: Settings, scene: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "overlap": 0}
    location = http.post(EXECUTION, json={"inputs": inputs}).headers["location"]
    check_problem(http.get(f"{location}/preview"), 404)
    worker = Worker.from_settings(settings)
    database = worker.resources.ledger.database
    unit = due(database)
    assert unit
    worker.run(unit)
    database.dispose()
    shown = link(http.get(location), "preview")
    assert shown == f"{location}/preview"
    early = http.get(shown)
    assert early.status_code == 200
    assert early.headers["content-type"] == "image/png"
    assert early.content.startswith(b"\x89PNG")
    assert early.headers["cache-control"] == "no-cache"  # it grows
    same = http.get(shown, headers={"If-None-Match": early.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    work_off(settings)
    late = http.get(shown, headers={"If-None-Match": early.headers["etag"]})
    assert late.status_code == 200
    assert late.content.startswith(b"\x89PNG")
    assert late.content != early.content
