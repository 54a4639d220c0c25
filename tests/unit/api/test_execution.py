"""POST /processes/explain/execution: what is accepted, and what is refused without a trace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pyproj import Transformer

from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.factories import make_scene, write_scene
from tests.unit.api.testing import TestClient, due
from tests.unit.scene.mosaics import moved

EXECUTION = "/processes/explain/execution"


@pytest.fixture(scope="module")
def bad_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "bad"
    folder.mkdir()
    make_scene(folder.parent / "outside.tif", 64, 64)
    (folder / "link.tif").symlink_to(folder.parent / "outside.tif")
    make_scene(folder / "grey.tif", 64, 64, bands=1)
    make_scene(folder / "chip.tif", 64, 64, crs=None)
    write_scene(folder / "empty.tif", np.zeros((3, 64, 64), np.uint8), nodata=0)
    (folder / "text.tif").write_text("no pixels here")
    (folder / "vrt.tif").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    (folder / "cut.tif").write_bytes((folder / "grey.tif").read_bytes()[:200])
    return folder


@pytest.fixture
def settings(settings: Settings, bad_scenes: Path) -> Settings:
    return settings.model_copy(update={"source_folders": (*settings.source_folders, bad_scenes)})


def test_an_accepted_job_is_in_the_ledger(http: TestClient, ledger: Ledger, scene: Path) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"], "overlap": 0}
    answer = http.post(EXECUTION, json={"inputs": inputs})
    assert answer.status_code == 201
    info = answer.json()
    assert answer.headers["location"] == f"http://testserver/jobs/{info['jobID']}"
    assert (info["processID"], info["type"], info["status"], info["progress"]) == (
        *("explain", "process", "accepted", 0),
    )
    assert http.get(answer.headers["location"]).json() == info
    status = ledger.status(UUID(info["jobID"]))
    assert status.phases["assemble"].total == 2
    assert status.items == info["tiles"] > 0
    asked = ledger.request(status.id)
    assert {name: asked[name] for name in inputs} == inputs
    assert due(ledger.database)


@pytest.mark.parametrize("form", ["path", "uri", "href"])
def test_a_scene_may_be_named_in_three_ways(http: TestClient, scene: Path, form: str) -> None:
    named: Any = {"path": str(scene), "uri": scene.as_uri(), "href": {"href": str(scene)}}[form]
    answer = http.post(EXECUTION, json={"inputs": {"scene": named, "model": "tiny"}})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("form", ["paths", "hrefs"])
def test_several_files_may_be_one_scene(
    http: TestClient, ledger: Ledger, scene: Path, form: str
) -> None:
    other = make_scene(scene.parent / "east.tif", 96, 96, seed=1, transform=moved(0, 96))
    named: Any = [str(scene), str(other)]
    if form == "hrefs":
        named = [{"href": name} for name in named]
    answer = http.post(EXECUTION, json={"inputs": {"scene": named, "model": "tiny"}})
    assert answer.status_code == 201, answer.text
    assert ledger.request(UUID(answer.json()["jobID"]))["scene"] == [str(scene), str(other)]
    for wrong in ([], [{"url": "x"}], [str(scene), "/etc/hosts"], str(scene.parent)):
        check_problem(http.post(EXECUTION, json={"inputs": {"scene": wrong, "model": "tiny"}}), 400)


def test_products_by_reference_may_be_asked_for(http: TestClient, scene: Path) -> None:
    body = {
        "inputs": {"scene": str(scene), "model": "tiny"},
        "outputs": {"tiles": {"transmissionMode": "reference"}},
        "response": "document",
    }
    assert http.post(EXECUTION, json=body).status_code == 201


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"heat-boot": {}}, "'heat-boot'.*heat-boat"),
        ({"tiles": {}, "mask": {}}, "'mask'.*preview"),
        ({"overlay-boat": {}}, "'overlay-boat'"),
        ({"tiles": {"format": {"mediaType": "text/csv"}}}, "tiles.*parquet.*csv"),
        ({"tiles": {"size": 3}}, "outputs.tiles.size"),
        ({"x" * 5_000: {}}, "'xxx"),
    ],
)
def test_products_that_there_are_not_are_refused(
    http: TestClient, ledger: Ledger, scene: Path, outputs: dict[str, Any], says: str
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlays": False}
    answer = http.post(EXECUTION, json={"inputs": inputs, "outputs": outputs})
    check_problem(answer, 400)
    assert_says(answer.json()["detail"], says)
    assert ledger.jobs(limit=9) == []


def test_only_products_asked_for_are_made(http: TestClient, ledger: Ledger, scene: Path) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"]}
    plain = UUID(http.post(EXECUTION, json={"inputs": inputs}).json()["jobID"])
    body = {"inputs": inputs, "outputs": {"heat-{class}": {}, "tiles": {}}}
    some = UUID(http.post(EXECUTION, json=body).json()["jobID"])
    assert ledger.status(plain).phases["draw"].total == 1
    assert ledger.status(some).phases["draw"].total == 0
    assert ledger.request(some)["outputs"] == ["heat-{class}", "tiles"]


def test_inputs_may_be_wrapped_as_the_standard_has_it(
    http: TestClient, ledger: Ledger, scene: Path
) -> None:
    inputs = {
        "scene": {"href": scene.as_uri(), "type": "image/tiff"},
        "model": {"value": "tiny"},
        "classes": {"value": ["boat"], "mediaType": "application/json"},
        "overlap": {"value": 0.25},
    }
    answer = http.post(EXECUTION, json={"inputs": inputs}, headers={"Prefer": "respond-async"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["preference-applied"] == "respond-async"
    asked = ledger.request(UUID(answer.json()["jobID"]))
    assert (asked["model"], asked["classes"], asked["overlap"]) == ("tiny", ["boat"], 0.25)
    plain = http.post(EXECUTION, json={"inputs": inputs}, headers={"Prefer": "respond-sync"})
    assert "preference-applied" not in plain.headers


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown class", {"classes": ["boot"]}, "boat"),
    ("no class", {"classes": []}, "classes"),
    ("one class, no list", {"classes": "boat"}, "classes"),
    ("unknown model", {"model": "tyni"}, "tyni"),
    ("model as a path", {"model": "../tiny"}, "tiny"),
    ("missing scene", {"scene": "{folder}/none.tif"}, "none.tif"),
    ("no scene", {"scene": None}, "scene"),
    ("reference without href", {"scene": {"url": "x"}}, "scene"),
    ("a folder", {"scene": "{folder}"}, "is a folder"),
    ("outside the folders", {"scene": "/etc/passwd"}, "allowed"),
    ("climbing out", {"scene": "{folder}/../outside.tif"}, "allowed"),
    ("link out", {"scene": "{folder}/link.tif"}, "allowed"),
    ("unknown bucket", {"scene": "s3://secret/port.tif"}, "allowed"),
    ("unknown host", {"scene": "https://example.org/port.tif"}, "allowed"),
    ("plain http", {"scene": "http://example.org/port.tif"}, "allowed"),
    ("GDAL's own path", {"scene": "/vsicurl/http://example.org/port.tif"}, "allowed"),
    ("inline XML", {"scene": "<VRTDataset/>"}, "allowed"),
    ("not a URL", {"scene": "https://[port.tif"}, "port.tif"),
    ("null byte", {"scene": "{folder}/a\x00b.tif"}, "scene"),
    ("very long name", {"scene": "{folder}/" + "a" * 300 + ".tif"}, "aaa"),
    ("not a GeoTIFF", {"scene": "{folder}/text.tif"}, "text.tif"),
    ("a VRT", {"scene": "{folder}/vrt.tif"}, "vrt.tif"),
    ("cut short", {"scene": "{folder}/cut.tif"}, "cut.tif"),
    ("one band", {"scene": "{folder}/grey.tif"}, "grey.tif"),
    ("no CRS", {"scene": "{folder}/chip.tif"}, "CRS"),
    ("nothing valid", {"scene": "{folder}/empty.tif"}, "empty"),
    ("band out of range", {"bands": [1, 2, 9]}, "9"),
    ("band zero", {"bands": [0, 1, 2]}, "bands"),
    ("too few bands", {"bands": [1]}, "[Bb]ands"),
    ("reversed rescale", {"rescale": [[255, 0]]}, "rescale"),
    ("two ranges for three bands", {"rescale": [[0, 1], [0, 2]]}, "rescale"),
    ("endless rescale", {"rescale": [[0, float("inf")]]}, "rescale"),
    ("area elsewhere", {"aoi": box(2.2, 48.8, 2.3, 48.9)}, "area of interest"),
    ("area at the antipodes", {"aoi": box(-177.1, -49, -177, -48.9)}, "area of interest"),
    ("area without polygon", {"aoi": {"type": "Point", "coordinates": [2, 48]}}, "area"),
    ("area of two points", {"aoi": {"type": "Polygon", "coordinates": [[[2, 48], [3, 48]]]}}, ""),
    ("area without features", {"aoi": {"type": "FeatureCollection", "features": []}}, "area"),
    ("empty area", {"aoi": {}}, "area|aoi"),
    ("area as text", {"aoi": "here"}, "aoi"),
    ("overlap too large", {"overlap": 1.5}, "overlap.*1.5"),
    ("overlap negative", {"overlap": -0.1}, "overlap"),
    ("overlap is text", {"overlap": "abc"}, "overlap.*abc"),
    ("overlap is NaN", {"overlap": float("nan")}, "overlap"),
    ("GSD zero", {"gsd": 0}, "gsd"),
    ("GSD endless", {"gsd": float("inf")}, "gsd|GSD"),
    ("GSD of an atom", {"gsd": 1e-10}, "gsd"),
    ("GSD next to nothing", {"gsd": 1e-320}, "gsd|GSD"),
    ("unknown normalisation", {"normalize": "max"}, "normalize"),
    ("unknown input", {"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(
    ("changes", "says"),
    [row[1:] for row in REFUSED],
    ids=[row[0].replace(" ", "-") for row in REFUSED],
)
def test_bad_inputs_leave_no_trace(
    http: TestClient,
    ledger: Ledger,
    storage: FolderStorage,
    bad_scenes: Path,
    scene: Path,
    changes: dict[str, Any],
    says: str,
) -> None:
    inputs: dict[str, Any] = {"scene": str(scene), "model": "tiny", **changes}
    if isinstance(inputs["scene"], str):
        inputs["scene"] = inputs["scene"].replace("{folder}", str(bad_scenes))
    answer = post_raw(http, json.dumps({"inputs": inputs}).encode())  # httpx refuses NaN
    check_problem(answer, 400)
    assert_says(answer.json()["detail"], says)
    assert ledger.jobs(limit=9) == []
    assert list(storage.keys("")) == []


def post_raw(http: TestClient, content: bytes) -> Any:
    return http.post(EXECUTION, content=content, headers={"Content-Type": "application/json"})


def check_problem(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "detail"} <= set(document)
    assert document["status"] == status
    assert document["type"].startswith(("urn:geogaze:", "http://www.opengis.net/"))
    assert document["detail"]


def assert_says(detail: str, pattern: str) -> None:
    assert re.search(pattern, detail), detail
    assert "Traceback" not in detail


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"inputs": {"scene": ', "JSON"),
        (b"", "body"),
        (b"[]", "body"),
        (b'"explain"', "body"),
        (b"null", "body"),
        (b'{"inputs": []}', "inputs"),
        (b"{}", "inputs"),
        (b'{"inputs": {}, "mode": "sync"}', "mode"),
        (b'{"inputs": {}}', "scene"),
        (b'{"inputs": {"scene": "x"}, "response": "xml"}', "response"),
        (b'{"inputs": {"scene": "\xff"}}', ""),
    ],
    ids=str,
)
def test_bad_bodies(http: TestClient, ledger: Ledger, content: bytes, says: str) -> None:
    answer = post_raw(http, content)
    check_problem(answer, 400)
    assert_says(answer.json()["detail"], says)
    assert ledger.jobs(limit=9) == []


def test_unknown_processes_are_not_found(http: TestClient, scene: Path) -> None:
    answer = http.post(
        "/processes/paint/execution", json={"inputs": {"scene": str(scene), "model": "tiny"}}
    )
    check_problem(answer, 404)
    assert answer.json()["type"] == (
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process"
    )


def test_an_area_of_interest_makes_a_smaller_job(http: TestClient, settings: Settings) -> None:
    large = make_scene(settings.source_folders[0] / "large.tif", 600, 600)
    inputs = {"scene": str(large), "model": "tiny", "overlap": 0}
    whole = http.post(EXECUTION, json={"inputs": inputs}).json()["tiles"]
    to_degrees = Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    west, north = to_degrees.transform(430_000, 5_410_000)
    east, south = to_degrees.transform(430_050, 5_409_950)
    corner = box(west, south, east, north)
    part = http.post(EXECUTION, json={"inputs": {**inputs, "aoi": corner}})
    assert part.status_code == 201, part.text
    assert 0 < part.json()["tiles"] < whole
