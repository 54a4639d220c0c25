"""The Item of a job's products is valid STAC, all extensions included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
from shapely.geometry import shape

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.colormaps import render_stops
from geogaze.products.records import JobRecord
from geogaze.products.stac import item_json
from geogaze.products.tiles import Standing
from tests.factories import NORTH_UP, ROTATED, make_scene
from tests.schemas.validation import validate
from tests.unit.products.conftest import MakePlan

STATISTICS = {"minimum": 0.0, "maximum": 3.5, "mean": 0.2, "stddev": 0.1}
EXTENSIONS = {"file", "processing", "projection", "raster", "render", "table"}


RAN = [
    {"runtime": "openvino 2026.4.1", "precision": "fp32"},
    {"runtime": "torch 2.15.0", "precision": "fp32"},
]


def item_of(plan: Plan, statistics: dict[str, float] | None = STATISTICS) -> dict[str, Any]:
    def made(file: str, kind: str) -> dict[str, Any]:
        return {"key": file, "file": file, "type": kind, "size": 123, "sha256": "ab" * 32}

    cog = "image/tiff; application=geotiff; profile=cloud-optimized"
    assets = {
        **{f"heat-{name}": made(f"heat-{name}.tif", cog) for name in plan.layers},
        **{f"overlay-{name}": made(f"overlay-{name}.tif", cog) for name in plan.layers},
        "tiles": made("tiles.parquet", "application/vnd.apache.parquet"),
        "preview": made("preview.png", "image/png"),
    }
    scale = 2.0 if statistics else 0.0
    calibration = {
        name: {"asset": {}, "scale": scale, "peak": 2.5, "statistics": statistics}
        for name in plan.layers
    }
    standing = {name: Standing(2, 0.75, {}) for name in plan.layers}
    record = JobRecord("job-1", 1_790_000_000.5, assets, calibration, ["channel-shift"], RAN)
    text = item_json(facts_of(plan), record, standing)
    # NaN and Infinity are no JSON.
    document: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return document


LOCAL_CRS = (
    'PROJCS["Site",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",3.3],'
    'PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("scene_options", "request_options", "statistics"),
    [
        ({}, {}, STATISTICS),
        ({"transform": ROTATED}, {"gsd": 1.0}, STATISTICS),
        ({"crs": LOCAL_CRS}, {}, STATISTICS),  # no EPSG code, so WKT
        ({}, {"classes": "top", "normalize": "tile"}, STATISTICS),
        ({}, {"normalize": "none"}, STATISTICS),
        ({}, {}, None),  # nothing was looked at
        ({"dtype": "uint16"}, {"rescale": [(0, 1000)]}, STATISTICS),
    ],
    ids=["plain", "rotated", "wkt", "top", "raw", "empty", "rescaled"],
)
def test_the_item_is_valid(
    plan_of: MakePlan,
    tmp_path: Path,
    scene_options: dict[str, Any],
    request_options: dict[str, Any],
    statistics: dict[str, float] | None,
) -> None:
    plan = plan_of(make_scene(tmp_path / "scene.tif", **scene_options), **request_options)
    checked = validate(item_of(plan, statistics))
    assert {uri.split("/")[3] for uri in checked if "stac-extensions" in uri} == EXTENSIONS


@pytest.mark.parametrize(
    "path",
    [
        ("properties", "proj:shape"),
        ("properties", "renders"),
        ("properties", "processing:software"),
        ("assets", "tiles", "file:checksum"),
        ("assets", "heat-boat", "raster:bands"),
        ("stac_version",),
    ],
)
def test_validation_notices_what_is_wrong(plan: Plan, path: tuple[str, ...]) -> None:
    item = item_of(plan)
    place = item
    for key in path[:-1]:
        place = place[key]
    assert path[-1] in place
    place[path[-1]] = "wrong!"
    with pytest.raises((pystac.STACValidationError, KeyError)):
        validate(item)


def test_the_item_says_where_and_what_the_products_are(plan: Plan) -> None:
    item = item_of(plan)
    properties = item["properties"]
    assert item["id"] == "job-1"
    assert properties["datetime"].startswith("2026-09-21T")
    assert properties["gsd"] == 16.0
    assert properties["proj:code"] == "EPSG:32631"
    assert properties["proj:shape"] == [7, 9]
    assert properties["proj:transform"][:6] == list(plan.heat_transform)[:6]
    assert properties["geogaze:scales"] == dict.fromkeys(("boat", "field", "road"), 2.0)
    heat = item["assets"]["heat-boat"]
    assert heat["href"] == "./heat-boat.tif"
    assert heat["file:checksum"] == "1220" + "ab" * 32
    assert heat["raster:bands"][0]["nodata"] == "nan"
    assert heat["raster:bands"][0]["statistics"]["stddev"] == 0.1
    assert item["assets"]["preview"]["roles"] == ["thumbnail"]
    render = properties["renders"]["heat-field"]
    assert render["assets"] == ["heat-field"]
    assert render["rescale"] == [[0.0, 1.0]]
    assert {link["rel"] for link in item["links"]} >= {"derived_from"}


def test_raw_evidence_is_drawn_on_both_sides_of_none(plan_of: MakePlan, scene: Path) -> None:
    item = item_of(plan_of(scene, normalize="none", colormap="viridis"))
    render = item["properties"]["renders"]["heat-boat"]
    assert (render["rescale"], render["colormap_name"]) == ([[-2.5, 2.5]], "coolwarm")
    assert [stop.alpha for stop in render_stops(render)][9:12] == [14, 0, 14]
    assert item["assets"]["heat-boat"]["raster:bands"][0]["unit"] == "logit"


def test_viewers_are_told_the_colormap_that_was_asked_for(plan_of: MakePlan, scene: Path) -> None:
    for name in ("turbo", "viridis"):
        item = item_of(plan_of(scene, colormap=name))
        renders = item["properties"]["renders"].values()
        assert {render["colormap_name"] for render in renders} == {name}


def test_the_footprint_is_the_scenes_in_longitude_and_latitude(plan: Plan) -> None:
    from pyproj import Transformer

    item = item_of(plan)
    to_lonlat = Transformer.from_crs(32631, 4326, always_xy=True).transform
    corners = [to_lonlat(*(NORTH_UP @ corner)) for corner in ((0, 0), (260, 0), (260, 200))]
    footprint = shape(item["geometry"])
    for lon, lat in corners:
        assert min(abs(lon - x) + abs(lat - y) for x, y in footprint.exterior.coords) < 1e-7
    assert item["bbox"] == pytest.approx(list(footprint.bounds))
    assert footprint.exterior.is_ccw, "RFC 7946"
