"""OGC API – Features of a job: what is found, in which CRS, and how it is refused."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import shapely
from fastapi import FastAPI
from shapely.geometry import shape as shape_of

from api.features import Features
from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.unit.api.catalogued import catalogued
from tests.unit.api.featured import COUNT, OWN, featured
from tests.unit.api.test_execution import check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.test_written import BROWSER, Read
from tests.unit.api.testing import TestClient
from tests.unit.gis.packages import CORNER, outlines
from tests.unit.gis.test_frames import MARS
from tests.unit.ledger.suite import submit

X, Y = CORNER
GEOJSON = "application/geo+json"


@pytest.fixture
def job(ledger: Ledger, storage: FolderStorage) -> UUID:
    return featured(ledger, storage)


@pytest.fixture
def here(job: UUID) -> str:
    return f"/jobs/{job}/features"


def found(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == GEOJSON
    page = answer.json()
    assert page["numberReturned"] == len(page["features"])
    return [feature["id"] for feature in page["features"]]


def test_a_job_and_its_item_lead_to_its_features(http: TestClient, job: UUID, here: str) -> None:
    status = http.get(f"/jobs/{job}").json()
    (service,) = [link["href"] for link in status["links"] if link["rel"] == "service"]
    assert service == f"http://testserver{here}"
    (item,) = http.get("/search").json()["features"]
    assert "service" not in {link["rel"] for link in item["links"]}, "the Item has no GeoPackage"
    page = http.get(service).json()
    for link in page["links"]:
        answer = http.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].split("; charset")[0] == link["type"], link
    assert [one["id"] for one in http.get(f"{here}/collections").json()["collections"]] == [
        *("hotspots", "tiles"),
    ]


def test_a_feature_is_as_the_file_has_it(http: TestClient, here: str) -> None:
    (feature,) = http.get(f"{here}/collections/hotspots/items?limit=1&after=4").json()["features"]
    alone = http.get(f"{here}/collections/hotspots/items/5", params={"crs": OWN})
    assert alone.headers["content-crs"] == f"<{OWN}>"
    assert shape_of(alone.json()["geometry"]) == outlines(5)[4]
    assert feature["properties"] == alone.json()["properties"]
    assert feature["properties"]["id"] == "spot-4"
    assert feature["properties"]["row"] == feature["id"] - 1 == 4
    rel = {link["rel"]: link["href"] for link in alone.json()["links"]}
    assert http.get(rel["self"]).json() == alone.json()
    for lost in ("0", "26", "-1", "spot-4", "9" * 30, "²"):
        check_problem(http.get(f"{here}/collections/hotspots/items/{lost}"), 404)


def test_pages_follow_one_another(http: TestClient, here: str) -> None:
    answer = http.get(f"{here}/collections/hotspots/items?limit=5&class=ship")
    assert answer.json()["numberMatched"] == COUNT // 2
    seen: list[int] = []
    for _ in range(4):
        seen += found(answer)
        following = [link["href"] for link in answer.json()["links"] if link["rel"] == "next"]
        if not following:
            break
        answer = http.get(following[0])
    assert seen == list(range(2, COUNT, 2))


QUERIES: list[tuple[dict[str, Any], list[int]]] = [
    ({"class": "it's a port", "row": "4"}, [5]),
    ({"row": "4.5"}, []),
    ({"filter": "class = 'ship' AND peak >= 2.1"}, [22, 24]),
    ({"filter": '{"op":"=","args":[{"property":"row"},7]}', "filter-lang": "cql2-json"}, [8]),
    ({"filter": "peak > 2.35", "class": "ship"}, []),
    ({"bbox": f"{X},{Y},{X + 10},{Y + 10}", "bbox-crs": OWN}, [1]),
    ({"bbox": f"{X + 240},{Y + 240},{X + 250},{Y + 250}", "bbox-crs": OWN}, []),
    ({"bbox": "-180,-90,180,90", "row": "2"}, [3]),
    ({"bbox": "170,-90,-170,90"}, []),
    ({"datetime": "2026-01-01T00:00:00Z/..", "row": "2"}, [3]),
    ({"filter": f"S_INTERSECTS(geom, POINT({X + 5} {Y + 5}))", "filter-crs": OWN}, [1]),
    ({"filter": "S_INTERSECTS(geom, BBOX(-180,-90,180,90)) AND row = 2"}, [3]),
    ({"filter": "NOT S_INTERSECTS(geom, BBOX(-180,-90,180,90))"}, []),
]


def test_queries(http: TestClient, here: str) -> None:
    for query, numbers in QUERIES:
        answer = http.get(f"{here}/collections/hotspots/items", params=query)
        assert found(answer) == numbers, query
        assert answer.json()["numberMatched"] == len(numbers), query


REFUSED = [
    ("colour=red", "no parameter 'colour'"),
    ("geom=1", "no parameter 'geom'"),
    ("row=many", "no number"),
    ("row=nan", "no number"),
    ("row=1&row=2", "more than once"),
    ("limit=0", "limit"),
    ("after=-1", "after"),
    ("f=gml", "f:"),
    ("bbox=1,2,3", "3 numbers"),
    ("bbox=1,2,a,4", "numbers with commas"),
    (f"bbox=1,2,3&bbox-crs={OWN}", "both axes"),
    (f"bbox=3,2,1,4&bbox-crs={OWN}", "both axes"),
    (f"bbox=1,2,inf,4&bbox-crs={OWN}", "both axes"),
    ("bbox-crs=EPSG:32631&bbox=1,2,3,4", "bbox-crs"),
    ("crs=EPSG:32631", "is none of"),
    ("datetime=2026-11-30", "RFC 3339"),
    ("filter=colour='red'", "no queryable 'colour'"),
    ("filter=row=1&filter-lang=cql", "filter-lang"),
    ("filter=row=1&filter-crs=EPSG:4326", "filter-crs"),
    ("filter=S_INTERSECTS(geom,BBOX(1000,1000,2000,2000))", "not on the Earth"),
]


def test_what_cannot_be_asked_is_refused(http: TestClient, here: str) -> None:
    for query, said in REFUSED:
        answer = http.get(f"{here}/collections/hotspots/items?{query}")
        check_problem(answer, 400)
        assert said in answer.json()["detail"], query
    for path in ("", "/api", "/conformance", "/collections", "/collections/hotspots"):
        check_problem(http.get(f"{here}{path}?colour=red"), 400)
    check_problem(http.get(f"{here}/collections/hotspots/items/1?bbox=1,2,3,4"), 400)
    check_problem(http.get(f"{here}/collections/heat/items?limit=0"), 400)


def test_what_is_not_there(
    http: TestClient, ledger: Ledger, storage: FolderStorage, job: UUID, here: str
) -> None:
    check_problem(http.get(f"/jobs/{uuid4()}/features"), 404)
    check_problem(http.get(f"/jobs/{uuid4()}/features/collections"), 404)
    answer = http.get(f"{here}/collections/heat/items")
    check_problem(answer, 404)
    assert "hotspots, tiles" in answer.json()["detail"]
    running = submit(ledger)
    check_problem(http.get(f"/jobs/{running}/features/collections"), 404)
    failed = submit(ledger)
    end(ledger, failed, JobState.FAILED)
    assert http.get(f"/jobs/{failed}/features/collections").status_code == 500
    bare = catalogued(ledger, storage)
    assert http.get(f"/jobs/{bare}/features/collections").json()["collections"] == []
    storage.path(ledger.assets(job)["files"]["hotspots"]["key"]).unlink()  # type: ignore[index]
    check_problem(http.get(f"{here}/collections/hotspots"), 404)


def test_what_lies_nowhere_is_left_out_and_says_why(
    http: TestClient, ledger: Ledger, storage: FolderStorage
) -> None:
    here = f"/jobs/{featured(ledger, storage, outlines(2, (2.0, 48.0), 0.1), MARS)}/features"
    assert [one["id"] for one in http.get(f"{here}/collections").json()["collections"]] == ["tiles"]
    answer = http.get(f"{here}/collections/hotspots/items")
    check_problem(answer, 400)
    assert "fetch the file" in answer.json()["detail"]


def test_what_did_not_change_is_not_sent_again(http: TestClient, here: str) -> None:
    for path in ("items?limit=3", "items/3"):
        first = http.get(f"{here}/collections/hotspots/{path}")
        tag = {"If-None-Match": first.headers["etag"]}
        again = http.get(f"{here}/collections/hotspots/{path}", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        other = http.get(f"{here}/collections/hotspots/{path}", headers=tag, params={"crs": OWN})
        assert other.status_code == 200


def test_people_get_pages(http: TestClient, here: str) -> None:
    for path in ("", "/api", "/collections/tiles/queryables", "/collections/tiles/items"):
        answer = http.get(f"{here}{path}", headers=BROWSER)
        assert answer.headers["content-type"] == "text/html; charset=utf-8", path
        assert "etag" not in answer.headers
    page = Read(answer.text)
    assert "spot-2" in page.said
    assert f"http://testserver{here}/collections/tiles/items?f=html" in page.leads
    plain = http.get(f"{here}/collections/tiles/items?f=json", headers=BROWSER)
    assert found(plain) == [1, 2, 3]


class Bucket(FolderStorage):
    """Objects that are no files here."""

    fetched = 0

    def file(self, key: str) -> Path | None:
        return None

    def get_file(self, key: str, path: Path) -> None:
        Bucket.fetched += 1
        super().get_file(key, path)


def test_files_in_a_bucket_are_copied_once_and_go_when_room_is_needed(
    http: TestClient, app: FastAPI, settings: Settings, here: str, tmp_path: Path
) -> None:
    size = len(http.get(f"{here.removesuffix('/features')}/assets/hotspots.gpkg").content)
    copies = tmp_path / "copies"
    copies.mkdir()
    bucket = Bucket(Path(settings.storage))
    for name, age in (("left", 10**6), ("of-another", 60)):
        (copies / f"geogaze-copy-{name}").touch()
        os.utime(copies / f"geogaze-copy-{name}", (time.time() - age,) * 2)
    (copies / "kept").touch()
    os.utime(copies / "kept", (0, 0))
    Features(bucket, size, copies)
    assert {path.name for path in copies.iterdir()} == {"geogaze-copy-of-another", "kept"}
    for path in copies.iterdir():
        path.unlink()
    app.state.features = Features(bucket, size + 10, copies)
    for _ in range(3):
        assert len(found(http.get(f"{here}/collections/hotspots/items"))) == COUNT
    assert Bucket.fetched == len(list(copies.iterdir())) == 1
    next(copies.iterdir()).unlink()  # by whoever clears the system's folders
    assert len(found(http.get(f"{here}/collections/hotspots/items"))) == COUNT
    assert Bucket.fetched == 2
    assert found(http.get(f"{here}/collections/tiles/items")) == [1, 2, 3]
    gc.collect()  # requests go by themselves, some time
    assert (Bucket.fetched, len(list(copies.iterdir()))) == (3, 1), "the other made room"
    app.state.features = Features(bucket, size - 1, copies)
    gc.collect()
    assert list(copies.iterdir()) == []
    refused = http.get(f"{here}/collections/hotspots/items")
    check_problem(refused, 400)
    assert "GEOGAZE_FEATURES_MB" in refused.json()["detail"]
    app.state.features = Features(bucket, size, tmp_path / "absent")
    check_problem(http.get(f"{here}/collections/hotspots/items"), 503)
    app.state.features = Features(bucket, size, copies)
    held = app.state.features.one(app.state.services, UUID(here.split("/")[2]), "hotspots")
    with TestClient(app):
        assert held.file.exists()
    assert list(copies.iterdir()) == [], "the service has ended"
    assert not held.file.exists()


def test_shapes_are_told_in_degrees(http: TestClient, here: str) -> None:
    answer = http.get(f"{here}/collections/hotspots/items/1").json()
    box = shapely.box(
        *http.get(f"{here}/collections/hotspots").json()["extent"]["spatial"]["bbox"][0]
    )
    assert box.contains(shape_of(answer["geometry"]))
    assert shape_of(answer["geometry"]).exterior.is_ccw
    around = box.bounds
    everything = http.get(f"{here}/collections/hotspots/items?bbox={','.join(map(str, around))}")
    assert len(found(everything)) == COUNT
