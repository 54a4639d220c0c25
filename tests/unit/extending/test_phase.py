"""A phase more: one file with what a unit does, one line in a process's order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from geogaze.processes.table import PROCESSES
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.api.working import work_off

LINKS = "?transmissionMode=reference"


def test_a_phase_of_the_order_is_done_after_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> None:
    monkeypatch.setitem(PROCESSES, "echo", "tests.unit.extending.seal:SEALED")
    settings = make_settings(tmp_path, bundle_folder)
    with TestClient(make_app(settings)) as http:
        later = {"Prefer": "respond-async"}
        body = {"inputs": {"string": "this"}}
        answer = http.post("/processes/echo/execution", json=body, headers=later)
        assert answer.json()["unitsLeft"] == {"echo": 1, "seal": 1}
        job = urlsplit(answer.headers["Location"]).path
        work_off(settings)
        status = http.get(job).json()
        assert (status["status"], status["phase"]) == ("successful", "seal")
        files = {
            name: http.get(link["href"]).content
            for name, link in http.get(f"{job}/results{LINKS}").json().items()
        }
    digest = hashlib.sha256(files["echo"]).hexdigest()
    assert json.loads(files["seal"])["echo"] == digest
