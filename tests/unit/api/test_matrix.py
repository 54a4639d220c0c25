"""The tenancy matrix: every route of the application × every kind of caller."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.routing import Mount

from geogaze.config import Settings
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job, Key
from geogaze.products.product import GEOPACKAGE
from geogaze.storage import FolderStorage
from tests.unit.api.featured import package_of
from tests.unit.api.matrix import ANNOUNCED, CALLERS, EXPECTED
from tests.unit.api.test_assets import COG, made
from tests.unit.api.test_jobs import end
from tests.unit.api.test_layers import RENDER, heat
from tests.unit.api.testing import TestClient
from tests.unit.gis.packages import outlines
from tests.unit.ledger.suite import submission

__all__ = ["heat"]

OURS, THEIRS = "ours", "theirs"
SQUARE = [[[2.0, 51.0], [3.0, 51.0], [3.0, 52.0], [2.0, 52.0], [2.0, 51.0]]]
ITEM = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "geometry": {"type": "Polygon", "coordinates": SQUARE},
    "bbox": [2.0, 51.0, 3.0, 52.0],
    "properties": {"datetime": "2026-11-01T00:00:00Z", "renders": {"heat-boat": RENDER}},
    "assets": {},
    "links": [],
}
USER = {Scope.READ, Scope.SUBMIT}
HOTSPOTS = package_of(outlines(2), "EPSG:32631")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keys": True})


@pytest.fixture
def callers(ledger: Ledger) -> dict[str, dict[str, str]]:
    """What each kind of caller sends."""
    keys = Keys(ledger.database)

    def key(scopes: set[Scope], tenant: str = OURS) -> tuple[str, str]:
        record, text = keys.create("test", tenant=tenant, scopes=scopes)
        return record.id, text

    expired, revoked = key(USER), key(USER)
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Key).where(Key.id == expired[0]).values(expires=1.0))
    keys.revoke(revoked[0])
    own = key(USER)[1]
    shown = {
        "wrong": own[:-1] + ("A" if own[-1] != "A" else "B"),
        "expired": expired[1],
        "revoked": revoked[1],
        "other tenant's": key(USER, THEIRS)[1],
        "read-only": key({Scope.READ})[1],
        "own": own,
        "admin": key({Scope.ADMIN})[1],
    }
    return {"no key": {}} | {
        name: {"Authorization": f"Bearer {text}"} for name, text in shown.items()
    }


@pytest.fixture
def make_job(ledger: Ledger, storage: FolderStorage, heat: Path) -> Any:
    def make() -> UUID:
        """A successful job of ours that has something for every route."""
        job = ledger.submit(submission(tenant=OURS))
        end(ledger, job, JobState.SUCCESSFUL)
        item = json.dumps({**ITEM, "id": str(job)}).encode()
        files = {
            "heat-boat": made(storage, job, "heat-boat.tif", heat.read_bytes(), COG),
            "item": made(storage, job, "item.json", item, "application/geo+json"),
            "preview": made(storage, job, "preview.png", b"png", "image/png"),
            "hotspots": made(storage, job, "hotspots.gpkg", HOTSPOTS, GEOPACKAGE),
        }
        with Session(ledger.database) as session, session.begin():
            assets = {"files": files, "skipped": []}
            session.execute(update(Job).where(Job.id == job).values(assets=assets))
        return job

    return make


def routes_of(app: FastAPI) -> list[str]:
    """Every route that the application has, by method and template; mounts as one."""
    found = []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Mount):
            found.append(f"MOUNT {context.path}")
            continue
        pages = " (pages)" if type(context.original_route).__name__ == "_ForPeople" else ""
        methods = sorted((context.methods or {"?"}) - {"HEAD"})
        found += [f"{method} {context.path}{pages}" for method in methods]
    return found


def test_every_route_has_an_expectation_and_the_other_way_round(app: FastAPI) -> None:
    found = routes_of(app)
    assert set(found) - set(EXPECTED) == set(), "say in tests/unit/api/matrix.py who may use it"
    assert set(EXPECTED) - set(found) == set(), "these are gone"


def test_the_matrix(
    http: TestClient, app: FastAPI, callers: dict[str, dict[str, str]], make_job: Any
) -> None:
    job = make_job()
    begun = http.post("/uploads", json=ANNOUNCED, headers=callers["own"])
    upload = begun.headers["location"].rpartition("/")[2]
    lines, wrong, counts = [], [], Counter[int]()
    for route in routes_of(app):
        expected, row = EXPECTED[route], []
        method = "GET" if route.startswith("MOUNT") else route.partition(" ")[0]
        for caller in CALLERS:
            if expected.needs == "submit" and caller == "own" and expected.owned:
                job = make_job()  # it may be changed for those who come after
            path = expected.path.format(job=job, upload=upload)
            headers = {**expected.headers, **callers[caller]}
            http.cookies.clear()
            answer = http.request(method, path, json=expected.json, headers=headers)
            row.append(answer.status_code)
            counts[answer.status_code] += 1
            if answer.status_code != expected.of(caller):
                wrong.append((route, caller, answer.status_code, expected.of(caller), answer.text))
            if caller != "own" and expected.of(caller) in {401, 403, 404}:
                assert "heat-boat" not in answer.text.replace(path, "")
            if caller == "other tenant's" and answer.status_code == 200 and "{job}" not in route:
                assert str(job) not in answer.text, (route, "tells of another's job")
            if route == "GET /jobs/{job} (pages)":
                said = f"http://testserver{path}" in answer.text
                assert said == (caller in {"read-only", "own"}), "pages say what documents do"
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
        lines.append(f"{expected.needs:8}{route:78}{'  '.join(map(str, row))}")
    print("\nneeds   route" + " " * 73 + "  ".join(CALLERS))
    print("\n".join(lines))
    print(f"{len(lines)} routes × {len(CALLERS)} callers: {dict(sorted(counts.items()))}")
    assert not wrong, "\n".join(map(str, wrong))


def test_a_list_holds_ones_own_alone(
    http: TestClient, callers: dict[str, dict[str, str]], make_job: Any
) -> None:
    job = make_job()
    assert [j["jobID"] for j in http.get("/jobs", headers=callers["own"]).json()["jobs"]] == [
        str(job)
    ]
    assert http.get("/jobs", headers=callers["other tenant's"]).json()["jobs"] == []


def test_what_is_not_a_route_is_not_told_to_strangers(
    http: TestClient, callers: dict[str, dict[str, str]]
) -> None:
    for path in ("/nothing", "/jobs/", "/page/../jobs", "/admin"):
        assert http.get(path, follow_redirects=False).status_code == 401, path
    assert http.get("/nothing", headers=callers["own"]).status_code == 404
