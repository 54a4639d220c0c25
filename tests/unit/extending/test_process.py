"""A process more: one file, one line in the table of processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from geogaze.config import Settings
from geogaze.processes.table import PROCESSES
from tests.schemas.processes import check
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.api.working import work_off


@pytest.fixture
def settings(tmp_path: Path, bundle_folder: Path) -> Settings:
    return make_settings(tmp_path, bundle_folder)


@pytest.fixture
def http(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setitem(PROCESSES, "average", "tests.unit.extending.average:AVERAGE")
    with TestClient(make_app(settings)) as client:
        yield client


def test_a_process_of_the_table_is_described(http: TestClient) -> None:
    assert "average" in {found["id"] for found in http.get("/processes").json()["processes"]}
    description = http.get("/processes/average").json()
    check(description, "process")
    assert description["inputs"]["values"]["title"] == "What to average"
    assert description["outputs"]["mean"]["schema"]["contentMediaType"] == "application/json"
    document = http.get("/openapi.json").json()
    assert "What to average" in json.dumps(document["components"]["schemas"]["Execute"])
    assert (
        "average" in document["components"]["schemas"]["StatusInfo"]["properties"]["phase"]["enum"]
    )


def test_its_jobs_go_all_the_way(http: TestClient, settings: Settings) -> None:
    answer = http.post("/processes/average/execution", json={"inputs": {"values": [1, 2, 6]}})
    assert answer.status_code == 201, answer.text
    job = urlsplit(answer.headers["Location"]).path
    work_off(settings)
    assert http.get(job).json()["status"] == "successful"
    link = http.get(f"{job}/results").json()["mean"]
    assert http.get(link["href"]).json() == 3
    refused = http.post("/processes/average/execution", json={"inputs": {"values": []}})
    assert refused.status_code == 400


def test_a_forgotten_process_fails_when_the_application_is_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROCESSES, "median", "geogaze.processes.median:MEDIAN")
    with pytest.raises(LookupError, match=r"geogaze\.processes\.median"):
        make_app(settings)
