"""Whether the service is well, and what every answer tells browsers."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from api.app import create_app
from geogaze.config import Settings
from geogaze.version import VERSION
from tests.unit.api.test_execution import check_problem
from tests.unit.api.testing import TestClient


def test_without_tables_it_lives_and_is_not_ready(settings: Settings) -> None:
    with TestClient(create_app(settings)) as http:
        assert [http.get(path).status_code for path in ("/livez", "/health")] == [200, 200]
        answer = http.get("/readyz")
        check_problem(answer, 503)
        assert "alembic upgrade head" in answer.json()["detail"]


def test_with_tables_it_is_ready(http: TestClient) -> None:
    assert http.get("/readyz").json() == {"status": "ok"}


def test_it_says_which_release_it_is(http: TestClient) -> None:
    assert http.get("/version").json() == {"version": VERSION}


@pytest.mark.parametrize("path", ["/", "/jobs", "/docs", "/page/main.js", "/nothing", "/?f=html"])
def test_browsers_are_told_to_guess_nothing(http: TestClient, app: FastAPI, path: str) -> None:
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers.get_list("referrer-policy") == ["same-origin"]
