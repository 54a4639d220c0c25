"""Results as they were asked for: at once or later, raw or in a document, by value or as links."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from api.watching import Watching
from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off

ECHO = "/processes/echo/execution"
INPUTS = {"string": "hé", "number": 1.5, "object": {"a": [1]}}
LATER = {"Prefer": "respond-async"}
BY_VALUE = {"transmissionMode": "value"}
BY_LINK = {"transmissionMode": "reference"}

Run = Callable[..., Any]


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    app.state.watching = Watching(app.state.services.ledger, pause=0.02)
    return app


@contextmanager
def at_work(settings: Settings) -> Iterator[None]:
    """A worker beside those who wait."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            work_off(settings)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


@pytest.fixture(params=["at once", "later"])
def run(request: pytest.FixtureRequest, http: TestClient, settings: Settings) -> Run:
    """Executes an echo; its answer with results, however they are waited for."""

    def later(**body: Any) -> Any:
        answer = http.post(ECHO, json={"inputs": INPUTS, **body}, headers=LATER)
        assert (answer.status_code, answer.headers["preference-applied"]) == (201, "respond-async")
        work_off(settings)
        return http.get(f"{urlsplit(answer.headers['location']).path}/results")

    def at_once(**body: Any) -> Any:
        with at_work(settings):
            answer = http.post(ECHO, json={"inputs": INPUTS, **body})
        monitor = re.search(r'<([^>]+)>; rel="monitor"', answer.headers["link"])
        assert monitor
        assert http.get(urlsplit(monitor[1]).path).json()["status"] == "successful"
        return answer

    return at_once if request.param == "at once" else later


def test_a_document_has_values_and_links(run: Run, http: TestClient) -> None:
    answer = run(outputs={"string": BY_VALUE, "number": BY_LINK, "object": {}})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    results = answer.json()
    assert set(results) == {"string", "number", "object"}
    assert results["string"] == {"value": "hé", "mediaType": "application/json"}
    assert results["object"]["value"] == {"a": [1]}
    assert http.get(results["number"]["href"]).json() == 1.5


def test_one_raw_value_is_the_product(run: Run) -> None:
    answer = run(outputs={"string": BY_VALUE}, response="raw")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == "hé"


def test_raw_links_are_headers(run: Run, http: TestClient) -> None:
    answer = run(outputs={"string": BY_LINK, "number": BY_LINK}, response="raw")
    assert (answer.status_code, answer.content) == (204, b"")
    told = r'<([^>]+)>; rel="item"; type="([^"]+)"; title="(\w+)"'
    links = re.findall(told, answer.headers["link"])
    assert {title: http.get(href).json() for href, _, title in links} == {
        "string": "hé",
        "number": 1.5,
    }
    assert {kind for _, kind, _ in links} == {"application/json"}


@pytest.mark.parametrize("linked", [None, "number"])
def test_several_raw_products_are_parts(run: Run, http: TestClient, linked: str | None) -> None:
    outputs = {name: BY_LINK if name == linked else BY_VALUE for name in INPUTS}
    answer = run(outputs=outputs, response="raw")
    assert answer.status_code == 200
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content)
    assert message.get_content_type() == "multipart/related"
    got = {}
    for part in message.get_payload():
        name, place = part["Content-ID"].strip("<>"), part["Content-Location"]
        body = part.get_payload(decode=True)
        assert (place is not None, body == b"") == (name == linked, name == linked)
        got[name] = http.get(place).json() if place else json.loads(body)
        assert part["Content-Type"] == "application/json"
    assert got == INPUTS


def test_values_that_are_too_much_together_are_links(
    http: TestClient, settings: Settings, app: FastAPI
) -> None:
    services = app.state.services
    small = settings.model_copy(update={"value_bytes": 10})
    object.__setattr__(services, "settings", small)
    inputs = {"string": "a" * 7, "object": {"b": 1}, "number": 1}  # 9, 8 and 1 or 3 bytes as JSON
    for body in ({}, {"response": "raw"}):
        outputs = dict.fromkeys(("string", "object"), BY_VALUE)
        asked = {"inputs": inputs, "outputs": outputs, **body}
        job = urlsplit(http.post(ECHO, json=asked, headers=LATER).headers["location"]).path
        work_off(settings)
        answer = http.get(f"{job}/results")
        assert answer.status_code == 200
        if body:
            assert answer.text.count("Content-Location") == 1
            continue
        assert answer.json()["string"] == {"value": "a" * 7, "mediaType": "application/json"}
        assert http.get(answer.json()["object"]["href"]).json() == {"b": 1}
    alone = {"inputs": {"string": "b" * 90}, "outputs": {"string": BY_VALUE}, "response": "raw"}
    job = urlsplit(http.post(ECHO, json=alone, headers=LATER).headers["location"]).path
    work_off(settings)
    assert http.get(f"{job}/results").json() == "b" * 90  # a file is sent, whatever its size


def test_whoever_waits_too_long_gets_the_job(
    http: TestClient, settings: Settings, app: FastAPI
) -> None:
    impatient = settings.model_copy(update={"sync_seconds": 0.05})
    object.__setattr__(app.state.services, "settings", impatient)
    answer = http.post(ECHO, json={"inputs": INPUTS})  # nobody works
    assert answer.status_code == 201
    assert "preference-applied" not in answer.headers
    work_off(settings)
    results = http.get(f"{urlsplit(answer.headers['location']).path}/results").json()
    assert results["echo"]["value"] == INPUTS


def test_products_of_a_scene_come_by_value_too(
    http: TestClient, ledger: Ledger, settings: Settings, scene: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"], "overlap": 0}
    outputs = {"summary": BY_VALUE, "item": BY_VALUE, "legend": BY_VALUE, "style-{class}": BY_VALUE}
    body = {"inputs": inputs, "outputs": {**outputs, "heat-{class}": {}}}
    answer = http.post("/processes/explain/execution", json=body)
    assert answer.status_code == 201  # nobody waits for a scene
    job = urlsplit(answer.headers["location"]).path
    assert set(http.get(f"{job}/inputs").json()) & {"outputs", "transmission", "response"} == set()
    work_off(settings)
    results = http.get(f"{job}/results").json()
    assert results["summary"]["value"].startswith("layer,")
    assert results["item"]["value"]["assets"]["heat-boat"]
    assert base64.b64decode(results["legend"]["value"])[:4] == b"\x89PNG"
    assert results["legend"]["encoding"] == "base64"
    assert "<qgis" in results["style-road"]["value"]
    assert {name for name, one in results.items() if "href" in one} == {"heat-boat", "heat-road"}
    one = http.get(f"{job}/results/summary")
    assert one.text == results["summary"]["value"]
    assert http.get(f"{job}/results/mask").status_code == 404


def test_more_raw_products_than_an_answer_takes_are_refused(
    http: TestClient, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.processes.MOST_LINKS", 3)
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"]}
    asked = {"inputs": inputs, "response": "raw"}
    refused = http.post("/processes/explain/execution", json=asked)
    assert refused.status_code == 400
    assert "at most 3 products come raw" in refused.json()["detail"]
    named = {**asked, "outputs": {"heat-{class}": {}, "item": {}}}
    assert http.post("/processes/explain/execution", json=named).status_code == 201
