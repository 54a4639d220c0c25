"""A route more: one file with a router, one line in the table of rooms."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import APIRouter

from api.dependencies import With
from api.problems import documented
from api.routes import ROUTERS
from geogaze.doors import resolve
from tests.unit.api.testing import TestClient, make_app, make_settings

router = APIRouter()


@router.get("/waiting", tags=["jobs"], responses=documented())
def waiting(services: With) -> dict[str, int]:
    """How many jobs wait for a worker."""
    return {"jobs": len(services.ledger.jobs(limit=1000, states=["accepted"]))}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> str:
    """The file ``api/routes/waiting.py``, and its line."""
    file = ModuleType("api.routes.waiting")
    file.router = router
    monkeypatch.setitem(sys.modules, "api.routes.waiting", file)
    line = "api.routes.waiting:router"
    monkeypatch.setattr("api.routes.ROUTERS", [*ROUTERS, line])
    return line


def test_a_route_of_the_table_is_served_and_described(
    room: str, tmp_path: Path, bundle_folder: Path
) -> None:
    app = make_app(make_settings(tmp_path, bundle_folder))
    with TestClient(app) as http:
        assert http.get("/waiting").json() == {"jobs": 0}
        described = http.get("/openapi.json").json()["paths"]["/waiting"]["get"]
        assert described["tags"] == ["jobs"]
        assert "503" in described["responses"]


def test_a_forgotten_route_fails_when_the_application_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> None:
    monkeypatch.setattr("api.routes.ROUTERS", [*ROUTERS, "api.routes.waiting:router"])
    with pytest.raises(LookupError, match=r"api\.routes\.waiting"):
        make_app(make_settings(tmp_path, bundle_folder))


@pytest.mark.parametrize("line", ROUTERS)
def test_every_line_leads_to_a_router(line: str) -> None:
    assert isinstance(resolve(line), APIRouter)
