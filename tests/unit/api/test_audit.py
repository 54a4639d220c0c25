"""The process audit: over HTTP and unit by unit, it finds what the command finds at home."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import geopandas
import pytest
from shapely.geometry import shape

from geogaze.audit.auditing import audit
from geogaze.audit.document import document
from geogaze.audit.page import page
from geogaze.config import Settings
from geogaze.errors import UnitBroke
from geogaze.models.registry import find_bundle
from geogaze.processes.audit.planning import make_plan
from geogaze.processes.audit.request import AuditRequest
from geogaze.runner.phases import measure as measuring
from tests.unit.api.testing import TestClient, make_app
from tests.unit.api.working import work_off
from tests.unit.audit.conftest import TILES, World, world  # noqa: F401

EXECUTION = "/processes/audit/execution"
STRIP = 30


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"chunk_tiles": STRIP})


@pytest.fixture
def http(settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def there(world: World, settings: Settings) -> World:  # noqa: F811
    """The world where the server may read it."""
    folder = settings.source_folders[0]
    files = (world.scene, world.objects, world.green)
    return World(*(Path(shutil.copy2(path, folder)) for path in files))


def asked(there: World, **changes: Any) -> dict[str, Any]:
    return there.inputs(**{"model": "tiny", "tiles": 2, "by": "class", **changes})


def start(http: TestClient, inputs: dict[str, Any]) -> str:
    answer = http.post(EXECUTION, json={"inputs": inputs})
    assert answer.status_code == 201, answer.text
    path: str = urlsplit(answer.headers["Location"]).path
    return path


def at_home(there: World, settings: Settings) -> dict[str, Any]:
    request = AuditRequest.parse(asked(there))
    return document(audit(make_plan(request, settings, local=True), settings))


def test_it_is_the_audit_at_home(http: TestClient, settings: Settings, there: World) -> None:
    green = json.loads(there.green.read_text())
    truth = {"href": str(there.objects)}
    job = start(http, asked(there, truth=truth, cover={"green": green}))
    status = http.get(job).json()
    assert (status["tiles"], status["unitsLeft"]) == (
        TILES**2,
        {"measure": 3, "randomise": 3, "change": 1, "judge": 1},
    )
    work_off(settings)
    status = http.get(job).json()
    assert (status["status"], status["tilesDone"]) == ("successful", TILES**2), status
    assert {link["rel"] for link in status["links"]}.isdisjoint({"preview"}), "there is none"
    told = http.get(f"{job}/assets/audit.json").json()
    home = at_home(there, settings)
    assert told == home
    assert told["classes"]["boat"]["baselines"]["random weights"] > 0
    assert http.get(f"{job}/assets/audit.html").text == page(home)
    links = http.get(f"{job}/results").json()
    assert {name: link["title"] for name, link in links.items()} == {
        "audit": "audit.json",
        "report": "audit.html",
        "collect": "collect.gpkg",
    }
    items = http.get(f"{job}/features/collections/collect/items").json()
    assert items["numberMatched"] == len(items["features"]) > 0
    used = http.get(f"{job}/prov").json()["entity"].values()
    assert str(there.scene) in {one.get("prov:location") for one in used}
    (listed,) = http.get("/jobs?processID=audit").json()["jobs"]
    assert listed["message"] == "done"

    # Again, of a scene's finished job: what was measured is not measured again.
    inputs = {"scene": str(there.scene), "model": "tiny", "classes": ["boat"], "overlap": 0}
    answer = http.post("/processes/explain/execution", json={"inputs": inputs})
    explained = answer.json()["jobID"]
    by_job = {"jobs": [explained], "scenes": None, "model": None}
    early = http.post(EXECUTION, json={"inputs": asked(there, **by_job)})
    assert (early.status_code, "ask again later" in early.text) == (400, True)
    work_off(settings)
    again = start(http, asked(there, **by_job))
    assert http.get(again).json()["tilesReused"] == TILES**2
    work_off(settings)
    assert http.get(f"{again}/assets/audit.json").json() == home
    others = asked(there, **by_job, weights=f"sha256:{64 * '0'}")
    refused = http.post(EXECUTION, json={"inputs": others})
    assert (refused.status_code, "weights" in refused.json()["detail"]) == (400, True)


def test_strips_that_were_split_are_put_together_in_order(
    http: TestClient, settings: Settings, there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measuring.measure

    def broken(*given: Any) -> Any:
        if len(given[3]) > STRIP // 2:
            raise UnitBroke("too much at once")
        return whole(*given)

    monkeypatch.setattr(measuring, "measure", broken)
    monkeypatch.setattr("geogaze.audit.auditing.find_spec", lambda name: None)  # nor is torch here
    job = start(http, asked(there))
    work_off(settings.model_copy(update={"max_attempts": 1}))
    told = http.get(f"{job}/assets/audit.json").json()["classes"]["boat"]
    home = at_home(there, settings)["classes"]["boat"]
    assert "random weights" not in told["baselines"]
    assert told["sheets"]["ground"]["logit"] == pytest.approx(home["sheets"]["ground"]["logit"])
    assert told["enrichment"] == pytest.approx(home["enrichment"])
    assert told["causal"]["tiles"] == home["causal"]["tiles"]


ELSEWHERE = {
    "type": "Polygon",
    "coordinates": [[[50.0, 50.0], [51.0, 50.0], [51.0, 51.0], [50.0, 50.0]]],
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"jobs": [str(uuid4())]}, "one of the two"),
        ({"scenes": None, "jobs": [str(uuid4())]}, "There is no job"),
        ({"truth": ELSEWHERE, "by": None}, "all of them lie outside"),
        ({"truth": ["a", "b"]}, "2 for 1 scenes"),
        ({"truth": "/etc/passwd"}, "not an allowed source"),
        ({"truth": "{scene}"}, "cannot be read as GeoJSON or GeoPackage"),
        ({"truth": {"type": "Point", "coordinates": [0, 0]}, "by": None}, "it holds a Point"),
        ({"cover": {"objects": ELSEWHERE}}, "another kind of that name"),
        ({"class": "not boat"}, "no class by itself"),
        ({"class": "zeppelin"}, "zeppelin"),
        ({"model": "nobody"}, "nobody"),
        ({"tiles": 0}, "tiles"),
    ],
)
def test_what_is_no_use_is_refused_before_any_work(
    http: TestClient, there: World, changes: dict[str, Any], says: str
) -> None:
    named = {
        name: value.format(scene=there.scene) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    answer = http.post(EXECUTION, json={"inputs": {**asked(there), **named}})
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]
    assert http.get("/jobs").json()["jobs"] == []


def test_others_jobs_and_parts_of_scenes_are_refused(
    http: TestClient, settings: Settings, there: World
) -> None:
    box = json.loads(there.green.read_text())["features"][0]["geometry"]
    inputs = {"scene": str(there.scene), "model": "tiny", "classes": ["boat"], "overlap": 0}
    answer = http.post("/processes/explain/execution", json={"inputs": {**inputs, "aoi": box}})
    job = UUID(answer.json()["jobID"])
    work_off(settings)
    by_job = {"jobs": [str(job)], "scenes": None, "model": None}
    refused = http.post(EXECUTION, json={"inputs": asked(there, **by_job)})
    assert (refused.status_code, "with aoi" in refused.json()["detail"]) == (400, True)


def test_layers_of_a_geopackage_are_read_as_geojson_is(
    there: World, settings: Settings, bundle_folder: Path
) -> None:
    packed = there.objects.with_suffix(".gpkg")
    geopandas.read_file(there.objects).to_crs("EPSG:32631").to_file(packed)
    bundle = find_bundle("tiny", settings.model_folders)
    plans = [
        make_plan(AuditRequest.parse(asked(there, truth=str(path))), settings)
        for path in (there.objects, packed)
    ]
    ((json_site,), (packed_site,)) = (plan.sites for plan in plans)
    assert plans[0].kinds == plans[1].kinds == ("objects", "green", "the rest")
    assert plans[0].bundle.weights == bundle.weights
    one, two = (shape(site.areas["objects"]) for site in (json_site, packed_site))
    assert one.symmetric_difference(two).area < 1e-3 * one.area
