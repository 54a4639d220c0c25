"""OGC API – Processes as others read it: OWSLib's client, and the standard's own schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import ValidationError
from owslib.ogcapi.processes import Processes

from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.products.table import product_named
from tests.schemas.processes import check
from tests.unit.api.serving import served
from tests.unit.api.test_execution import EXECUTION
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off
from tests.unit.ledger.suite import submit

OAS30 = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/oas30"


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The API, served over real HTTP."""
    with served(app) as address:
        yield address


def test_owslib_reads_executes_and_gets_results(
    address: str, settings: Settings, scene: Path
) -> None:
    client = Processes(f"{address}/")
    api = client.api()
    assert api["openapi"].startswith("3.0")
    assert api["servers"] == [{"url": address}]
    assert OAS30 in client.conformance()["conformsTo"]
    summary = next(found for found in client.processes() if found["id"] == "explain")
    description = client.process(summary["id"])
    check(description, "process")
    inputs = {"scene": {"href": str(scene)}, "model": "tiny", "classes": ["boat"], "overlap": 0}
    outputs = {"heat-boat": {"transmissionMode": "reference"}, "item": {}}
    job = client.execute(summary["id"], inputs, outputs, async_=True)
    check(job, "statusInfo")
    assert client.response_headers["Preference-Applied"] == "respond-async"
    assert client.response_headers["Location"] == f"{address}/jobs/{job['jobID']}"
    work_off(settings)
    status = client._request(path=f"jobs/{job['jobID']}")
    check(status, "statusInfo")
    assert status["status"] == "successful"
    (href,) = [link["href"] for link in status["links"] if link["rel"].endswith("/results")]
    results = client._request(path=urlsplit(href).path)
    check(results, "results")
    assert set(results) == {"heat-boat", "item"}
    described = description["outputs"]
    for name, kind in (("heat-boat", "heat-{class}"), ("item", "item")):
        product = httpx.get(results[name]["href"])
        assert product.status_code == 200
        assert product.headers["content-type"] == results[name]["type"]
        assert results[name]["type"] == described[kind]["schema"]["contentMediaType"]


def test_products_are_described_as_they_are_delivered(
    http: TestClient, settings: Settings, scene: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"], "stability": 4}
    location = http.post(EXECUTION, json={"inputs": inputs}).headers["location"]
    work_off(settings)
    described = {
        name: output["schema"]["contentMediaType"]
        for name, output in http.get("/processes/explain").json()["outputs"].items()
    }
    delivered = {
        product_named(name)[0].name: product["type"]
        for name, product in http.get(f"{location}/results").json().items()
    }
    assert delivered == described


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "landingPage"),
        ("/conformance", "confClasses"),
        ("/processes", "processList"),
        ("/processes?limit=1", "processList"),
        ("/processes/explain", "process"),
        ("/processes/echo", "process"),
        ("/jobs", "jobList"),
        ("/processes/paint", "exception"),
        ("/jobs/none", "exception"),
        ("/jobs?limit=many", "exception"),
    ],
)
def test_documents_are_the_standards(
    http: TestClient, ledger: Ledger, path: str, kind: str
) -> None:
    for state in JobState:
        end(ledger, submit(ledger), state)
    check(http.get(path).json(), kind)


@pytest.mark.parametrize("state", list(JobState))
def test_every_status_is_the_standards(http: TestClient, ledger: Ledger, state: JobState) -> None:
    job = submit(ledger)
    end(ledger, job, state)
    check(http.get(f"/jobs/{job}").json(), "statusInfo")


def test_the_list_of_processes_has_a_limit(http: TestClient) -> None:
    assert len(http.get("/processes?limit=1").json()["processes"]) == 1
    for bad in ("0", "10001", "many"):
        assert http.get(f"/processes?limit={bad}").status_code == 400


@pytest.mark.parametrize(
    "words",
    [{"examples": [1]}, {"prefixItems": []}, {"type": "null"}, {"const": 1}, {"default": None}],
)
def test_the_schemas_notice_newer_words(http: TestClient, words: dict[str, Any]) -> None:
    description = http.get("/processes/explain").json()
    description["inputs"]["gsd"]["schema"].update(words)
    if words == {"default": None}:
        check(description, "process")
    else:
        with pytest.raises(ValidationError):
            check(description, "process")


def words_of(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        yield from document.items()
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from words_of(part)


def test_openapi_30_has_no_word_of_31(http: TestClient) -> None:
    document = http.get("/openapi-3.0.json").json()
    assert "summary" not in document["info"]
    for word, value in words_of(document):
        assert word not in {"const", "prefixItems", "propertyNames", "$defs", "webhooks"}
        assert word != "examples" or isinstance(value, dict)
        assert word != "type" or value != "null"
        assert word not in {"exclusiveMinimum", "exclusiveMaximum"} or value is True


def test_outputs_asked_for_are_the_results(
    http: TestClient, settings: Settings, scene: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"], "overlap": 0}
    body = {"inputs": inputs, "outputs": {"heat-{class}": {}, "overlay-road": {}}}
    job = UUID(http.post(EXECUTION, json=body).json()["jobID"])
    work_off(settings)
    results = http.get(f"/jobs/{job}/results").json()
    assert set(results) == {"heat-boat", "heat-road", "overlay-road"}
