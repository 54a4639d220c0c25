"""STAC API over finished jobs: what is found, by whom, and where its links lead."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.schemas.validation import validate
from tests.unit.api.catalogued import SQUARE, WHEN, catalogued
from tests.unit.api.test_execution import check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient, make_app
from tests.unit.ledger.suite import submit

LARGE = '{"op":"=","args":[{"property":"model"},"large"]}'
INSIDE, OUTSIDE = "2.05,48.05,2.06,48.06", "3,48,3.1,48.1"


@pytest.fixture
def jobs(ledger: Ledger, storage: FolderStorage) -> list[UUID]:
    """Three, oldest first; the last one's place and model are others."""
    east = [[[lon + 40, lat] for lon, lat in SQUARE[0]]]
    end(ledger, submit(ledger), JobState.SUCCESSFUL)  # without an Item
    end(ledger, submit(ledger), JobState.FAILED)
    return [
        catalogued(ledger, storage),
        catalogued(ledger, storage, when=WHEN + timedelta(hours=1), sure=0.95),
        catalogued(ledger, storage, when=WHEN + timedelta(hours=2), model="large", ring=east),
    ]


def found(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    page = answer.json()
    assert page["numberReturned"] == len(page["features"])
    return [item["id"] for item in page["features"]]


def test_items_have_links_that_stay(http: TestClient, jobs: list[UUID]) -> None:
    (item,) = http.get(f"/search?ids={jobs[0]}").json()["features"]
    validate(item)
    links = {link["rel"]: link["href"] for link in item["links"]}
    here = "http://testserver/collections/explain"
    assert links["self"] == f"{here}/items/{jobs[0]}"
    assert links["collection"] == links["parent"] == here
    assert links["derived_from"] == "s3://imagery/port.tif"
    href = item["assets"]["heat-old port"]["href"]
    assert href == f"http://testserver/jobs/{jobs[0]}/assets/heat-old%20port.tif"
    assert http.get(href).content == b"II*"
    assert http.get(links["self"]).json() == item
    for link in item["links"][:-1]:
        assert http.get(link["href"]).headers["content-type"] == link["type"], link


def test_collections_tell_what_their_items_cover(http: TestClient, jobs: list[UUID]) -> None:
    (told,) = http.get("/collections").json()["collections"]
    validate(told)
    assert told == http.get("/collections/explain").json()
    assert told["extent"]["spatial"]["bbox"] == [[2.0, 48.0, 42.2, 48.2]]
    first, last = "2026-11-30T06:30:00.123456Z", "2026-11-30T08:30:00.123456Z"
    assert told["extent"]["temporal"]["interval"] == [[first, last]]
    assert told["summaries"] == {"geogaze:model": ["large", "tiny"]}


def test_an_empty_catalogue_is_valid(http: TestClient) -> None:
    (told,) = http.get("/collections").json()["collections"]
    validate(told)
    assert found(http.get("/search")) == []


SEARCHES: list[tuple[dict[str, str], list[int]]] = [
    ({}, [2, 1, 0]),
    ({"bbox": INSIDE}, [1, 0]),
    ({"bbox": OUTSIDE}, []),
    ({"bbox": "170,40,10,50"}, [1, 0]),
    ({"bbox": "2.05,48.05,-10,2.06,48.06,10"}, [1, 0]),
    ({"bbox": "2.1,48.1,2.1,48.1"}, [1, 0]),
    ({"datetime": "2026-11-30T06:30:00.123456Z"}, [0]),
    ({"datetime": "2026-11-30T07:00:00+00:00/.."}, [2, 1]),
    ({"collections": "explain,other"}, [2, 1, 0]),
    ({"collections": "other"}, []),
    ({"intersects": json.dumps({"type": "Point", "coordinates": [42.1, 48.1]})}, [2]),
    ({"filter": "model = 'tiny' AND class = 'old port' AND probability > 0.9"}, [1]),
    ({"filter": "tiles = 4 AND model = 'large'", "filter-lang": "cql2-text"}, [2]),
    ({"filter": LARGE, "filter-lang": "cql2-json"}, [2]),
]


def test_searches(http: TestClient, jobs: list[UUID]) -> None:
    for query, numbers in SEARCHES:
        check_search(http, jobs, query, numbers)


def check_search(
    http: TestClient, jobs: list[UUID], query: dict[str, str], numbers: list[int]
) -> None:
    wanted = [str(jobs[number]) for number in numbers]
    answer = http.get("/search", params=query)
    assert found(answer) == wanted
    assert answer.json()["numberMatched"] == len(wanted)
    if not {"collections", "intersects"} & set(query):
        assert found(http.get("/collections/explain/items", params=query)) == wanted
    body: dict[str, Any] = dict(query)
    for name in ("intersects", "bbox"):
        if name in query:
            body[name] = json.loads(query[name] if name != "bbox" else f"[{query[name]}]")
    if "collections" in query:
        body["collections"] = query["collections"].split(",")
    assert found(http.post("/search", json=body)) == wanted


@pytest.mark.parametrize("method", ["GET", "POST", "items"])
def test_pages_follow_one_another(http: TestClient, jobs: list[UUID], method: str) -> None:
    query = {"limit": 1, "bbox": "0,40,50,50", "datetime": "2026-01-01T00:00:00Z/.."}
    if method == "POST":
        answer = http.post("/search", json={**query, "bbox": [0, 40, 50, 50]})
    else:
        path = "/search" if method == "GET" else "/collections/explain/items"
        answer = http.get(path, params=query)
    seen: list[str] = []
    for _ in range(4):
        seen += found(answer)
        assert answer.json()["numberMatched"] == 3
        following = [link for link in answer.json()["links"] if link["rel"] == "next"]
        if not following:
            break
        (link,) = following
        answer = http.request(link["method"], link["href"], json=link.get("body"))
    assert seen == [str(job) for job in reversed(jobs)]


REFUSED = [
    ("bbox=1,2,3", "3 numbers"),
    ("bbox=1,2,a,4", "numbers with commas"),
    ("bbox=1,2,nan,4", "west, south"),
    ("bbox=0,10,1,5", "west, south"),
    ("bbox=0,0,200,5", "west, south"),
    ("bbox=0,0,5,1,1,1", "above its top"),
    ("bbox=0,0,1,1&intersects={}", "both say where"),
    ("intersects={}", "no geometry"),
    ("intersects=[[[", "no GeoJSON"),
    (f"intersects={'[' * 5000}", "no GeoJSON"),
    ('intersects={"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}', "itself"),
    ('intersects={"type":"Point","coordinates":[1e999,0]}', "empty"),
    ("datetime=2026-11-30", "RFC 3339"),
    ("datetime=../..", "no interval"),
    ("datetime=2026-11-30T07:00:00Z/2026-11-30T06:00:00Z", "before it starts"),
    ("limit=0", "limit"),
    ("limit=many", "limit"),
    ("token=abc", "no page"),
    ("filter=colour='red'", "no queryable 'colour'"),
    ("filter=model='x'&filter-lang=cql", "filter-lang"),
    ("filter=model='x'&filter-crs=EPSG:4326", "filter-crs"),
    ("sortby=-datetime", "sortby"),
]


def test_what_cannot_be_looked_for_is_refused(http: TestClient) -> None:
    for query, said in REFUSED:
        answer = http.get(f"/search?{query}")
        check_problem(answer, 400)
        assert said in answer.json()["detail"], query
    for body in ([], {"limit": 0}, {"bbox": "1,2,3,4"}, {"fields": {}}, {"filter": {}}):
        check_problem(http.post("/search", json=body), 400)


ABSENT = [
    "/collections/echo",
    "/collections/echo/items",
    "/collections/other/queryables",
    "/collections/explain/items/none",
    f"/collections/explain/items/{uuid4()}",
    "/collections/echo/items/none",
]


def test_what_is_not_there(http: TestClient) -> None:
    for path in ABSENT:
        check_problem(http.get(path), 404)


def test_the_items_of_another_are_not_there(
    settings: Settings, ledger: Ledger, storage: FolderStorage
) -> None:
    ours = catalogued(ledger, storage, tenant="ours")
    app = make_app(settings.model_copy(update={"tenant_header": "X-Tenant"}))
    with TestClient(app) as http:
        for who, seen in (("theirs", []), ("ours", [str(ours)])):
            headers = {"X-Tenant": who}
            assert found(http.get("/search", headers=headers)) == seen
            assert found(http.post("/search", json={"ids": [str(ours)]}, headers=headers)) == seen
            item = http.get(f"/collections/explain/items/{ours}", headers=headers)
            assert item.status_code == (200 if seen else 404)
            told = http.get("/collections/explain", headers=headers).json()
            assert ("summaries" in told) == bool(seen)
        check_problem(http.get("/search"), 400)


def test_a_lost_item_hides_no_other(
    http: TestClient, ledger: Ledger, storage: FolderStorage, jobs: list[UUID], logs: list[Any]
) -> None:
    assert len(found(http.get("/search"))) == 3
    storage.remove([f"jobs/{jobs[1]}/publish/0/1/item.json"])
    assert found(http.get("/search")) == [str(jobs[2]), str(jobs[0])]
    assert any(entry["event"] == "item lost" for entry in logs)
    check_problem(http.get(f"/collections/explain/items/{jobs[1]}"), 404)
    never_read = catalogued(ledger, storage)
    storage.remove([f"jobs/{never_read}/publish/0/1/item.json"])
    for text in (b"II*", b"[]", b'{"properties": {"datetime": "once"}}'):
        unreadable = catalogued(ledger, storage)
        storage.put(f"jobs/{unreadable}/publish/0/1/item.json", text)
    assert found(http.get("/search")) == [str(jobs[2]), str(jobs[0])]


def test_limits_are_cut_to_what_is_sent(
    http: TestClient, jobs: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.searching.MOST", 2)
    assert len(found(http.get("/search?limit=10000"))) == 2


def test_the_landing_page_is_a_catalogue_too(http: TestClient, app: FastAPI) -> None:
    page = http.get("/").json()
    assert (page["type"], page["stac_version"]) == ("Catalog", "1.1.0")
    assert page["conformsTo"] == http.get("/conformance").json()["conformsTo"]
    for link in page["links"]:
        answer = http.request(link.get("method", "GET"), link["href"], json={})
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0], link
    for link in page["links"]:
        if link["rel"].endswith("queryables"):
            assert set(http.get(link["href"]).json()["properties"]) >= {"model", "class"}
