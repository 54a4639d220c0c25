"""Tenants, whom a gateway names in a header: each sees its own jobs and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_jobs import ids
from tests.unit.api.testing import TestClient

OURS, THEIRS = {"X-Tenant": "ours"}, {"X-Tenant": "theirs"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tenant_header": "X-Tenant"})


@pytest.fixture
def body(scene: Path) -> dict[str, Any]:
    return {"inputs": {"scene": str(scene), "model": "tiny"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/results"),
        ("GET", "/inputs"),
        ("GET", "/layers"),
        ("GET", "/layers/heat-boat/tiles/WebMercatorQuad/0/0/0.png"),
        ("GET", "/skipped"),
        ("POST", "/retry"),
        ("DELETE", ""),
    ],
)
def test_the_job_of_another_is_not_there(
    http: TestClient, body: dict[str, Any], method: str, path: str
) -> None:
    job = http.post(EXECUTION, json=body, headers=THEIRS).json()["jobID"]
    answer = http.request(method, f"/jobs/{job}{path}", headers=OURS)
    check_problem(answer, 404)
    absent = job.replace(job[:8], "00000000")
    none = http.request(method, f"/jobs/{absent}{path}", headers=OURS)
    assert answer.text.replace(job, absent) == none.text, "as if there were none"
    assert http.get(f"/jobs/{job}", headers=THEIRS).json()["status"] == "accepted"


def test_lists_hold_ones_own_jobs(http: TestClient, body: dict[str, Any]) -> None:
    ours, theirs = (
        http.post(EXECUTION, json=body, headers=who).json()["jobID"] for who in (OURS, THEIRS)
    )
    assert ids(http.get("/jobs", headers=OURS)) == [ours]
    assert ids(http.get("/jobs", headers=THEIRS)) == [theirs]
    assert ids(http.get("/jobs", headers={"X-Tenant": "new"})) == []


def test_tenants_may_choose_the_same_idempotency_key(
    http: TestClient, body: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "monday"}
    answers = [http.post(EXECUTION, json=body, headers={**who, **key}) for who in (OURS, THEIRS)]
    assert len({answer.json()["jobID"] for answer in answers}) == 2


@pytest.mark.parametrize("headers", [{}, {"X-Tenant": ""}, {"X-Tenant": "x" * 256}])
def test_a_gateway_that_names_nobody_is_refused(
    http: TestClient, body: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = http.get("/jobs", headers=headers)
    check_problem(answer, 400)
    assert "X-Tenant" in answer.json()["detail"]
    check_problem(http.post(EXECUTION, json=body, headers=headers), 400)


@pytest.mark.parametrize("path", ["/", "/health", "/processes/explain", "/conformance"])
def test_what_is_nobodys_own_needs_no_tenant(http: TestClient, path: str) -> None:
    """Load balancers ask for /health, and no gateway is between."""
    assert http.get(path).status_code == 200
