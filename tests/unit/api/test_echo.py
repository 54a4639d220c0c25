"""The process echo: a whole job over HTTP, without a scene or a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import UnitBroke
from geogaze.processes.echo import ECHO
from geogaze.processes.table import PROCESSES
from geogaze.runner.phases import echo
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off

EXECUTION = "/processes/echo/execution"
LATER = {"Prefer": "respond-async"}
MEDIA_TYPE = "application/json"
INPUTS = {"string": "hé", "number": 1.5, "array": [1, "two", None], "object": {"deep": {"er": []}}}


def start(http: TestClient, inputs: dict[str, Any], **others: Any) -> str:
    answer = http.post(EXECUTION, json={"inputs": inputs, **others}, headers=LATER)
    assert answer.status_code == 201, answer.text
    assert answer.json()["processID"] == "echo"
    path: str = urlsplit(answer.headers["Location"]).path
    return path


def test_what_goes_in_comes_out(http: TestClient, settings: Settings) -> None:
    job = start(http, INPUTS)
    before = http.get(job).json()
    assert (before["status"], before["phase"], before["unitsLeft"]) == (
        *("accepted", "echo"),
        {"echo": 1},
    )
    work_off(settings)
    status = http.get(job).json()
    assert (status["status"], status["progress"], status["tiles"]) == ("successful", 100, 0)
    results = http.get(f"{job}/results").json()
    each = {name: {"value": value, "mediaType": MEDIA_TYPE} for name, value in INPUTS.items()}
    assert results == {"echo": {"value": INPUTS, "mediaType": MEDIA_TYPE}, **each}
    links = http.get(f"{job}/results?transmissionMode=reference").json()
    assert links["array"]["type"] == MEDIA_TYPE
    assert http.get(links["array"]["href"]).json() == INPUTS["array"]
    assert http.get(f"{job}/skipped").json() == {"skipped": []}
    assert [found["jobID"] for found in http.get("/jobs?processID=echo").json()["jobs"]] == [
        status["jobID"]
    ]
    assert http.get("/jobs?processID=explain").json()["jobs"] == []


def test_qualified_inputs_and_outputs_are_the_standards(
    http: TestClient, settings: Settings
) -> None:
    wrapped = {"string": {"value": "yes", "mediaType": "text/plain"}}
    job = start(http, wrapped, outputs={"echo": {"format": {"mediaType": "application/json"}}})
    work_off(settings)
    assert http.get(f"{job}/results").json() == {
        "echo": {"value": {"string": "yes"}, "mediaType": MEDIA_TYPE}
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"inputs": {"text": "no"}}, "text"),
        ({"inputs": {"pause": 1e9}}, "pause"),
        ({"inputs": {"scene": "port.tif"}}, "scene"),
        (
            {"inputs": {}, "outputs": {"heat-boat": {}}},
            "there are array, echo, number",
        ),
    ],
)
def test_what_is_not_an_echos_is_refused(http: TestClient, body: Any, says: str) -> None:
    answer = http.post(EXECUTION, json=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert http.get("/jobs").json()["jobs"] == []


def test_numbers_that_json_does_not_have_are_refused(http: TestClient) -> None:
    body = '{"inputs": {"array": [NaN]}}'
    answer = http.post(EXECUTION, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "array" in answer.json()["detail"]


def test_a_job_that_failed_goes_on(
    http: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(http, INPUTS)

    def broken(*_: Any) -> None:
        raise UnitBroke("no luck")

    with monkeypatch.context() as patch:
        patch.setattr(echo, "keep", broken)
        work_off(settings.model_copy(update={"max_attempts": 1}))
    assert http.get(job).json()["status"] == "failed"
    assert http.post(f"{job}/retry").json()["status"] == "running"
    work_off(settings)
    assert http.get(f"{job}/results").json()["echo"]["value"] == INPUTS


def test_a_worker_of_another_version_says_what_it_lacks(
    http: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(http, INPUTS)
    monkeypatch.delitem(PROCESSES, "echo")
    work_off(settings.model_copy(update={"max_attempts": 1, "outage_patience": 1}))
    status = http.get(job).json()
    assert status["status"] == "failed"
    assert "knows no phase 'echo'" in status["message"]


def test_a_pause_ends_when_its_job_is_dismissed(
    http: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(http, {"pause": 600})
    ended: list[str] = []

    def dismiss(seconds: float) -> None:
        if not ended:
            ended.append(http.delete(job).json()["status"])

    monkeypatch.setattr("geogaze.runner.phases.echo.time.sleep", dismiss)
    work_off(settings)
    assert ended == ["dismissed"]
    assert http.get(job).json()["status"] == "dismissed"
    assert http.get(f"{job}/results").status_code == 410


def test_nobody_quotes_an_echo(http: TestClient) -> None:
    answer = http.post("/processes/echo/quote", json={"inputs": {}})
    assert answer.status_code == 404
    assert "echo" in answer.json()["detail"]


def test_the_python_client_starts_any_process(
    http: TestClient, settings: Settings, tmp_path: Path
) -> None:
    with Client("http://testserver") as client:
        client.http.close()
        client.http = http
        job = client.submit(INPUTS, process="echo")
        work_off(settings)
        files = client.download(job["jobID"], tmp_path / "out")
    assert json.loads(files["echo"].read_text()) == INPUTS


def test_a_key_stands_for_a_job_of_one_process(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "monday", **LATER}
    first = http.post(EXECUTION, json={"inputs": {}}, headers=headers)
    again = http.post(EXECUTION, json={"inputs": {}}, headers=headers)
    assert first.json()["jobID"] == again.json()["jobID"]
    assert len(http.get("/jobs").json()["jobs"]) == 1
    monkeypatch.setattr("tests.unit.api.test_echo.OTHER", replace(ECHO, id="other"), raising=False)
    monkeypatch.setitem(PROCESSES, "other", "tests.unit.api.test_echo:OTHER")
    other = http.post("/processes/other/execution", json={"inputs": {}}, headers=headers)
    assert other.status_code == 422
    assert "another process" in other.json()["detail"]
