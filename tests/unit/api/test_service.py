"""The service's face: landing page, conformance, processes, models, and what it never imports."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from sqlalchemy.exc import OperationalError

from geogaze import __version__
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.request import ExplainRequest
from tests.unit.api.testing import TestClient


def test_every_link_of_the_landing_page_leads_somewhere(http: TestClient) -> None:
    page = http.get("/").json()
    links = {link["rel"]: link for link in page["links"]}
    ogc = "http://www.opengis.net/def/rel/ogc/1.0"
    assert {"self", "service-desc", "service-doc"} < set(links)
    assert {f"{ogc}/{name}" for name in ("conformance", "processes", "job-list")} < set(links)
    for link in page["links"]:
        answer = http.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].partition(";")[0] in (
            link["type"].partition(";")[0],
            "application/json",
        )


def test_links_follow_the_host_that_was_asked(http: TestClient) -> None:
    page = http.get("/", headers={"Host": "heat.example.org"}).json()
    assert all(link["href"].startswith("http://heat.example.org/") for link in page["links"])


def test_conformance_names_the_standards_classes(http: TestClient) -> None:
    classes = http.get("/conformance").json()["conformsTo"]
    base = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
    for name in ("core", "ogc-process-description", "json", "job-list", "dismiss", "callback"):
        assert f"{base}/{name}" in classes


def test_openapi_is_of_the_version_that_is_promised(http: TestClient) -> None:
    links = {link["type"]: link["href"] for link in http.get("/").json()["links"]}
    for version in ("3.0", "3.1"):
        media_type = f"application/vnd.oai.openapi+json;version={version}"
        answer = http.get(links[media_type])
        assert answer.headers["content-type"] == media_type
        document = answer.json()
        assert document["openapi"].startswith(version)
        for path in ("/processes/{process}/execution", "/jobs/{job}", "/jobs/{job}/results"):
            assert path in document["paths"]
    assert "conf/oas30" in str(http.get("/conformance").json())


def test_the_process_list_has_all_processes(http: TestClient) -> None:
    listed = http.get("/processes").json()
    assert [summary["id"] for summary in listed["processes"]] == ["explain", "audit", "echo"]
    for summary in listed["processes"]:
        assert summary["version"] == __version__
        assert "async-execute" in summary["jobControlOptions"]
        assert ("sync-execute" in summary["jobControlOptions"]) is (summary["id"] == "echo")
        assert http.get(summary["links"][0]["href"]).json()["id"] == summary["id"]


def test_the_description_has_every_input_with_a_schema(http: TestClient) -> None:
    inputs = http.get("/processes/explain").json()["inputs"]
    assert set(inputs) == set(ExplainRequest.model_fields)
    for name, described in inputs.items():
        assert described["title"], name
        schema = described["schema"]
        assert {"type", "anyOf", "oneOf", "enum", "const"} & set(schema), name
        Draft202012Validator.check_schema(schema)
    assert [name for name, field in inputs.items() if field["minOccurs"]] == ["scene"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("overlap", 0.25, 1.5),
        ("gsd", 0.5, 0),
        ("normalize", "tile", "median"),
        ("classes", ["boat"], []),
        ("overlays", "present", "perhaps"),
        ("bands", [1, 2, 3], "red"),
        ("rescale", [[0, 255]], [[0]]),
        ("colormap", "viridis", "jet"),
        ("threshold", "q0.99", "q99"),
        ("threshold", 0.7, 0),
        ("on_error", "skip", "ignore"),
        ("priority", "high", 9),
    ],
)
def test_the_schemas_judge_as_the_service_does(
    http: TestClient, name: str, good: Any, bad: Any
) -> None:
    schema = http.get("/processes/explain").json()["inputs"][name]["schema"]
    validator = Draft202012Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)
    ExplainRequest.parse({"scene": "port.tif", name: good})


def test_models_are_listed_without_paths(http: TestClient, settings: Any) -> None:
    answer = http.get("/models")
    models = {model["name"]: model for model in answer.json()["models"]}
    assert models["tiny"]["classes"] == ["boat", "field", "road"]
    assert "aerial-scenes" in models
    assert str(settings.model_folders[0]) not in answer.text


def test_health(http: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http.get("/health").json() == {"status": "ok"}

    def refuse() -> None:
        raise OperationalError("SELECT 1", {}, ConnectionError("secret host"))

    monkeypatch.setattr(app.state.services.ledger.database, "connect", refuse)
    answer = http.get("/health")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/jobs", 405),
        ("DELETE", "/processes/explain", 405),
        ("GET", "/processes/paint", 404),
    ],
)
def test_every_error_is_a_problem(http: TestClient, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(answer.json())
    assert answer.json()["status"] == status


def test_a_broken_handler_tells_nothing_of_its_inside(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(Ledger, "jobs", broken)
    answer = http.get("/jobs")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("api.app", ["torch", "torchvision", "celery", "cv2", "geogaze.runner"]),
        ("worker.dispatcher", ["fastapi", "starlette", "torch", "geogaze.runner.work"]),
        ("geogaze.client", ["fastapi", "torch", "celery", "rasterio"]),
        ("geogaze.cli", ["torch", "fastapi", "celery"]),
    ],
)
def test_processes_stay_light(module: str, never: list[str]) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(never) & set(json.loads(done.stdout))
