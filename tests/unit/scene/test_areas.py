"""Areas of interest from a user's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from shapely.geometry import shape

from geogaze.errors import AoiOutsideScene
from geogaze.scene.aoi import locate
from geogaze.scene.areas import read_area
from tests.unit.scene.test_aoi import NORTH, RECTANGLE, assert_expected, polygon

DOCUMENT = polygon(NORTH, RECTANGLE)
HERE = shape(DOCUMENT)


def frame(crs: str) -> geopandas.GeoDataFrame:
    halves = [HERE.intersection(shapely.box(*box)) for box in (WEST, EAST)]
    return geopandas.GeoDataFrame({"n": [1, 2]}, geometry=halves, crs="OGC:CRS84").to_crs(crs)


MIDDLE = HERE.centroid.x
WEST, EAST = (-180, -90, MIDDLE, 90), (MIDDLE, -90, 180, 90)
OWN = "+proj=laea +lat_0=48 +lon_0=2 +datum=WGS84 +units=m"


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32631", OWN])
@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.fgb"])
def test_layers_are_read_in_whatever_crs(tmp_path: Path, name: str, crs: str) -> None:
    frame(crs).to_file(tmp_path / name)
    assert_expected(read_area(str(tmp_path / name)))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(DOCUMENT),
        "\ufeff" + json.dumps(DOCUMENT),
        HERE.wkt,
        "srid=4326;" + HERE.wkt,
        "SRID=32631;" + frame("EPSG:32631").union_all().wkt,
    ],
    ids=["GeoJSON", "with a byte order mark", "WKT", "EWKT", "EWKT in metres"],
)
def test_texts_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "area.txt"
    path.write_text(text, encoding="utf-8")
    assert_expected(read_area(str(path)))
    if "type" not in text:
        assert_expected(read_area(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "holds null, which is no area"),
        ("[]", r"holds \[\], which is no area"),
        ("{", "cannot be read as an area of interest"),
        ("POLYGON ((0 0", "cannot be read as an area of interest"),
    ],
)
def test_what_is_no_area_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "area.json"
    path.write_text(text)
    with pytest.raises(AoiOutsideScene, match=message):
        read_area(str(path))


@pytest.mark.parametrize("name", ["none.geojson", "none.gpkg", "x" * 300])
def test_what_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AoiOutsideScene, match="cannot be read as an area of interest"):
        read_area(str(tmp_path / name))


def test_layers_that_leave_a_choice_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for layer in ("farms", "towns"):
        frame("EPSG:4326").to_file(path, layer=layer)
    with pytest.raises(AoiOutsideScene, match="farms, towns; save the one you mean"):
        read_area(str(path))


@pytest.mark.parametrize("name", ["{path}", "/vsicurl/http://127.0.0.1:9/a.gpkg"])
def test_a_request_opens_no_file(tmp_path: Path, name: str) -> None:
    """Only the command line reads files: over HTTP an area is a document, never its name."""
    frame("EPSG:4326").to_file(tmp_path / "a.gpkg")
    asked: Any = {"type": "Polygon", "coordinates": name.format(path=tmp_path / "a.gpkg")}
    with pytest.raises(AoiOutsideScene, match="not GeoJSON polygons"):
        locate(asked, NORTH)
