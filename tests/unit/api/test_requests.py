"""What holds for every request: HEAD, Allow, CORS, links behind a proxy, limits, the log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, select
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.processes.limits import DEEPEST, MOST_POINTS
from tests.unit.api.test_execution import EXECUTION, check_problem, post_raw
from tests.unit.api.testing import TestClient, make_app


def serve(settings: Settings, **changes: Any) -> TestClient:
    return TestClient(make_app(settings.model_copy(update=changes)), raise_server_exceptions=False)


@pytest.fixture
def changed(settings: Settings) -> Iterator[Any]:
    """The API with other settings."""
    made: list[TestClient] = []

    def make(**changes: Any) -> TestClient:
        made.append(serve(settings, **changes))
        return made[-1]

    yield make
    for client in made:
        client.app.state.services.ledger.database.dispose()  # type: ignore[attr-defined]


def test_head_is_answered_wherever_get_is(http: TestClient) -> None:
    document = http.get("/openapi.json").json()
    paths = [path for path, item in document["paths"].items() if "get" in item]
    assert len(paths) >= 10
    for path in [*paths, "/docs", "/openapi.json", "/docs/ui/swagger-ui.css"]:
        got, head = http.get(path), http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        if path != "/metrics":  # which counts these very requests
            assert head.headers["content-length"] == str(len(got.content)), path
        assert head.headers["content-type"] == got.headers["content-type"], path
    assert all("head" in document["paths"][path] for path in paths)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/jobs", "GET, HEAD"),
        ("PUT", "/jobs/8853cb49-145e-4aaa-8aaa-145e8853cb49", "GET, HEAD, DELETE"),
        ("DELETE", EXECUTION, "POST"),
        ("HEAD", EXECUTION, "POST"),
        ("PATCH", "/", "GET, HEAD"),
    ],
)
def test_what_is_not_allowed_says_what_is(
    http: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_every_status_that_was_seen_is_documented(http: TestClient) -> None:
    for version in ("", "-3.0"):
        document = http.get(f"/openapi{version}.json").json()
        for path, item in document["paths"].items():
            for method, operation in item.items():
                wanted = {"400", "500", "503"}
                wanted |= {"404"} if "{" in path else set()
                wanted |= {"413", "422", "201"} if method == "post" and "exec" in path else set()
                assert wanted <= set(operation["responses"]), (method, path)
        assert "HTTPValidationError" not in json.dumps(document)


def test_pages_of_other_origins_may_ask_where_the_operator_says_so(
    http: TestClient, changed: Any
) -> None:
    headers = {"Origin": "https://maps.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in http.get("/jobs", headers=headers).headers
    client = changed(cors_origins=("https://maps.example",))
    answer = client.get("/jobs", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://maps.example"
    assert "Location" in answer.headers["access-control-expose-headers"]
    asked = client.options(EXECUTION, headers=headers)
    assert asked.status_code == 200
    assert "POST" in asked.headers["access-control-allow-methods"]
    other = client.get("/jobs", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_links_lead_through_a_proxy_that_cuts_the_path(http: TestClient) -> None:
    page = http.get("/jobs?limit=3", headers={"X-Forwarded-Prefix": "/heat/v1/"}).json()
    assert page["links"][0]["href"] == "http://testserver/heat/v1/jobs?limit=3"
    for bad in ("//evil.example", "heat", "/a b", "/../x?", "https://evil.example"):
        page = http.get("/jobs", headers={"X-Forwarded-Prefix": bad}).json()
        assert page["links"][0]["href"] == "http://testserver/jobs", bad
    served = http.get("/openapi.json", headers={"X-Forwarded-Prefix": "/heat"}).json()["servers"]
    assert served == [{"url": "http://testserver/heat"}]


def test_a_public_address_is_in_every_link(changed: Any) -> None:
    client = changed(public_url="https://maps.example/heat/")
    for path in ("/", "/processes", "/processes/explain", "/jobs"):
        links = client.get(path, headers={"Host": "inside:8080"}).json()["links"]
        assert all(link["href"].startswith("https://maps.example/heat/") for link in links), path
        assert "//" not in links[0]["href"].removeprefix("https://")


def test_the_page_to_read_needs_no_other_host(http: TestClient) -> None:
    answer = http.get("/docs")
    page = answer.text
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script[^>]*>[^<]|<style| on\w+=", page), "what the policy refuses"
    files = {"swagger-ui-bundle.js": "/*!", "swagger-ui.css": ".swagger-ui", "start.js": "//"}
    for file, start in files.items():
        assert f"docs/ui/{file}" in page
        answer = http.get(f"/docs/ui/{file}")
        assert answer.status_code == 200
        assert answer.text.startswith(start)
    assert "Apache License" in http.get("/docs/ui/LICENSE").text
    assert http.get("/docs/ui/../../app.py").status_code == 404


# Limits


@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
def test_bodies_have_a_limit(changed: Any, told: bool) -> None:
    client = changed(max_body_bytes=1000)
    pieces = [b'{"inputs": {"scene": "', *[b"a" * 100] * 12, b'"}}']
    content: Any = b"".join(pieces) if told else iter(pieces)
    answer = post_raw(client, content)
    check_problem(answer, 413)
    assert "1000" in answer.json()["detail"]
    check_problem(post_raw(client, b"".join(pieces[:3] + pieces[-1:])), 400)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


MEGABYTE = "a" * 2**20


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"scene": MEGABYTE}},
        {"inputs": {"scene": "x", "model": MEGABYTE}},
        {"inputs": {"scene": "x", "model": "m" * 256}},
        {"inputs": {"scene": "x", "classes": [MEGABYTE]}},
        {"inputs": {"scene": "x", "classes": ["boat"] * 20_000}},
        {"inputs": {"scene": "x", MEGABYTE: 1}},
        {"inputs": {"scene": "x", "model": "tiny", "bands": [1] * 5000}},
        {MEGABYTE: 1},
        {"inputs": {"scene": "x"}, "outputs": {MEGABYTE: 1}},
        {"inputs": {"scene": "x"}, "outputs": {MEGABYTE: {}}},
        {"inputs": {"scene": "x"}, "response": MEGABYTE},
        {"inputs": {"scene": "x"}, "subscriber": {"successUri": f"http://{MEGABYTE}/"}},
        {"inputs": {"scene": "x", "overlap": MEGABYTE}},
        {"inputs": {"scene": "x", "aoi": {"type": MEGABYTE}}},
    ],
    ids=lambda body: str(body)[:40],
)
def test_refusals_are_short(http: TestClient, scene: Path, body: dict[str, Any]) -> None:
    if body.get("inputs", {}).get("scene") == "x":
        body = {**body, "inputs": {**body["inputs"], "scene": str(scene)}}
        body["inputs"].setdefault("model", "tiny")
    answer = http.post(EXECUTION, json=body)
    check_problem(answer, 400)
    assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"inputs": {"scene": "x", "aoi": {"a": nested(300)}}}).encode(),
        json.dumps({"inputs": {"scene": nested(DEEPEST)}}).encode(),
        b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"inputs": {"scene": "a\\u0000b"}}',
        b'{"inputs": {"scene": "x", "aoi": {"a\\u0000b": 1}}}',
        b'{"inputs": {"scene": "x", "classes": ["\\ud800"]}}',
        b'{"inputs": {"scene": "x"}, "outputs": {"\\udc00": {}}}',
        b'{"inputs": {"scene": "x", "gsd": 1' + b"0" * 400 + b"}}",
        b'{"inputs": {"scene": "x", "gsd": 1' + b"0" * 5000 + b"}}",
        b'{"inputs": {"scene": "' + b"a" * 300 + b'.tif"}}',
        b'{"inputs": {"scene": "x", "model": "' + "ä".encode() * 200 + b'"}}',
    ],
    ids=range(11),
)
def test_what_cannot_be_kept_is_a_bad_request(
    http: TestClient, ledger: Ledger, content: bytes
) -> None:
    check_problem(post_raw(http, content), 400)
    assert ledger.jobs(limit=9) == []


def test_areas_have_a_limit_of_points(http: TestClient, scene: Path) -> None:
    ring = [[2 + i * 1e-6, 48] for i in range(MOST_POINTS + 1)]
    aoi = {"type": "Polygon", "coordinates": [ring]}
    answer = http.post(EXECUTION, json={"inputs": {"scene": str(scene), "aoi": aoi}})
    check_problem(answer, 400)
    assert f"aoi: Value error, it has {MOST_POINTS + 1} points" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/jobs?processID=%00", "/jobs?datetime=%00", "/jobs/%00", "/processes/%00"]
)
def test_null_characters_in_addresses(http: TestClient, path: str) -> None:
    assert http.get(path).status_code in {400, 404}


@pytest.mark.parametrize(
    "error",
    [
        exc.OperationalError("SELECT 1", {}, ConnectionError("secret host")),
        exc.InterfaceError("SELECT 1", {}, ConnectionError("secret host")),
        exc.InternalError("UPDATE", {}, Exception("secret: in a read-only transaction")),
        exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached, secret"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_is_away_is_said_to_be_back_soon(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(Ledger, "jobs", away)
    answer = http.get("/jobs")
    check_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert "secret" not in answer.text


# The log


def told(logs: list[Any], event: str) -> list[dict[str, Any]]:
    return [entry for entry in logs if entry["event"] == event]


def test_each_request_is_logged(http: TestClient, logs: list[Any]) -> None:
    answer = http.get("/jobs/none/results", headers={"X-Request-Id": "my-7"})
    assert answer.headers["x-request-id"] == "my-7"
    (entry,) = told(logs, "request")
    assert (entry["method"], entry["route"], entry["status"]) == (
        *("GET", "/jobs/{job}/results", 404),
    )
    assert entry["seconds"] >= 0
    assert (entry["request"], entry["tenant"], entry["log_level"]) == ("my-7", "default", "info")
    logs.clear()
    made = http.head("/nothing", headers={"X-Request-Id": "no spaces\tor more"})
    assert len(made.headers["x-request-id"]) == 32
    (entry,) = told(logs, "request")
    assert (entry["method"], entry["route"], entry["status"]) == ("HEAD", None, 404)
    assert entry["request"] == made.headers["x-request-id"]
    logs.clear()
    http.get("/health")
    assert [entry["log_level"] for entry in told(logs, "request")] == ["debug"]


def test_each_job_accepted_is_logged(changed: Any, logs: list[Any], scene: Path) -> None:
    client = changed(tenant_header="X-Tenant")
    body = {"inputs": {"scene": str(scene), "model": "tiny"}}
    headers = {"X-Tenant": "harbour", "Idempotency-Key": "one", "X-Request-Id": "r1"}
    job = client.post(EXECUTION, json=body, headers=headers).json()["jobID"]
    client.post(EXECUTION, json=body, headers={**headers, "X-Request-Id": "r2"})
    (entry,) = told(logs, "job accepted")
    assert (entry["job"], entry["model"], entry["tenant"]) == (job, "tiny", "harbour")
    assert entry["request"] == "r1"
    with Session(client.app.state.services.ledger.database) as session:
        kept = session.scalars(select(Job.request_id)).all()
    assert kept == ["r1"], "so that workers name it too"
    assert [(e["request"], e["tenant"]) for e in told(logs, "request")] == [
        ("r1", "harbour"),
        ("r2", "harbour"),
    ]


def test_what_broke_is_logged_with_its_request(
    http: TestClient, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(Ledger, "jobs", broken)
    answer = http.get("/jobs")
    check_problem(answer, 500)
    (entry,) = told(logs, "request broke")
    assert entry["request"] == answer.headers["x-request-id"]
    assert [e["status"] for e in told(logs, "request")] == [500]
