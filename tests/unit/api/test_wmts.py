"""A job by WMTS, as OWSLib reads it: layers, both grids, values, refusals by the standard's codes.

``tests/looks/clients.py`` has QGIS and GDAL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from affine import Affine
from fastapi import FastAPI
from owslib.wmts import TileMatrixSet, WebMapTileService

from api.layers import Layers
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.unit.api.serving import served
from tests.unit.api.test_layers import (
    CELL,
    COLS,
    RENDER,
    ROWS,
    finished,
    heat,
    layer_of,
    path_of,
    picture,
    pixel_of,
    place_of,
)
from tests.unit.api.testing import TestClient

__all__ = ["heat"]

OWS = "{http://www.opengis.net/ows/1.1}"
UPRIGHT = Affine.translation(420_000, 5_710_000) @ Affine.scale(CELL, -CELL)
CORNERS = {"Lower": "420000.0 5705200.0", "Upper": "426400.0 5710000.0"}
TILE = {
    "SERVICE": "WMTS",
    "REQUEST": "GetTile",
    "VERSION": "1.0.0",
    "LAYER": "heat-boat",
    "STYLE": "default",
    "FORMAT": "image/png",
    "TILEMATRIXSET": "SceneGrid",
    "TILEMATRIX": "2",
    "TILEROW": "1",
    "TILECOL": "1",
}
INFO = {**TILE, "REQUEST": "GetFeatureInfo", "INFOFORMAT": "application/json", "I": "0", "J": "0"}


@pytest.fixture(scope="module")
def upright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer_of(tmp_path_factory.mktemp("upright"), "EPSG:32631", UPRIGHT)


@pytest.fixture
def job(ledger: Ledger, storage: FolderStorage, upright: Path) -> UUID:
    return finished(ledger, storage, upright)


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


def test_owslib_reads_layers_and_tiles(address: str, http: TestClient, job: UUID) -> None:
    wmts = WebMapTileService(f"{address}/jobs/{job}/wmts")
    (layer,) = wmts.contents.values()
    assert (layer.id, layer.title, layer.formats) == ("heat-boat", "Heat of boat", ["image/png"])
    assert set(layer.tilematrixsetlinks) == {"WebMercatorQuad", "SceneGrid"}
    assert layer.infoformats == ["application/json", "text/plain"]
    assert layer.styles["default"]["isDefault"]
    assert http.get(layer.styles["default"]["legend"]).status_code == 200
    xml = http.get(f"/jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml").text
    corners = [f"<ows:{name}Corner>{at}</ows:{name}Corner>" for name, at in CORNERS.items()]
    assert f'<ows:BoundingBox crs="urn:ogc:def:crs:EPSG::32631">{"".join(corners)}' in xml
    told = http.get(f"/jobs/{job}/layers/heat-boat/tilejson.json").json()
    assert layer.boundingBoxWGS84 == pytest.approx(told["bounds"])
    web: TileMatrixSet = wmts.tilematrixsets["WebMercatorQuad"]
    assert len(web.tilematrix) == told["maxzoom"] + 1
    own: TileMatrixSet = wmts.tilematrixsets["SceneGrid"]
    assert own.crs == "urn:ogc:def:crs:EPSG::32631"
    finest = own.tilematrix["2"]
    assert finest.topleftcorner == (420_000, 5_710_000)
    assert finest.scaledenominator * 0.00028 == pytest.approx(CELL)
    place = pixel_of(*place_of(200, 200), 13)[0]
    tile = {"layer": "heat-boat", "tilematrixset": "WebMercatorQuad", "tilematrix": "13"}
    got = wmts.gettile(**tile, row=place.y, column=place.x)
    assert got.info()["content-type"] == "image/png"
    assert got.read() == http.get(path_of(job, place)).content
    own_tile = {"layer": "heat-boat", "tilematrixset": "SceneGrid", "tilematrix": "2"}
    by_key = wmts.gettile(**own_tile, row=1, column=0).read()
    (resource,) = layer.resourceURLs
    template = resource["template"]
    names = {"TileMatrixSet": "SceneGrid", "TileMatrix": "2", "TileRow": "1", "TileCol": "0"}
    assert http.get(template.format(**names)).content == by_key


def test_every_cell_is_a_pixel_of_its_own(http: TestClient, job: UUID) -> None:
    table = np.asarray(picture(http.get(f"/jobs/{job}/layers/heat-boat/legend.png")))[0]
    shown = np.zeros((512, 512, 4), np.uint8)
    for row in (0, 1):
        for col in (0, 1):
            asked = {**TILE, "TILEROW": row, "TILECOL": col}
            tile = picture(http.get(f"/jobs/{job}/wmts", params=asked))
            shown[row * 256 : (row + 1) * 256, col * 256 : (col + 1) * 256] = tile
    steps = np.arange(COLS) // 50 / 8
    expected = np.zeros_like(shown)
    expected[100:ROWS, :COLS] = table[np.rint(steps * 254).astype(int)]
    assert np.array_equal(shown[..., 3], expected[..., 3])
    visible = expected[..., 3] > 0
    assert np.array_equal(shown[visible], expected[visible])


def test_values_are_those_of_the_file(http: TestClient, job: UUID) -> None:
    path = f"/jobs/{job}/wmts"
    told = http.get(path, params={**INFO, "I": "94", "J": "10"})  # column 350, row 266
    assert told.headers["content-type"] == "application/json"
    (feature,) = told.json()["features"]
    assert feature["properties"] == {"heat-boat": 0.875}
    asked = {**INFO, "TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": "0", "TILEROW": "0"}
    nowhere = {**asked, "TILECOL": "0", "INFOFORMAT": "text/plain"}
    assert http.get(path, params=nowhere).text == "heat-boat: none\n"


def test_a_turned_layer_has_the_webs_grid_alone(
    http: TestClient, ledger: Ledger, storage: FolderStorage, heat: Path
) -> None:
    job = finished(ledger, storage, heat)
    xml = http.get(f"/jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml").text
    assert "SceneGrid" not in xml
    assert "EPSG::32631" not in xml
    refused = http.get(f"/jobs/{job}/wmts", params=TILE)
    assert told(refused, 400) == ("InvalidParameterValue", "TileMatrixSet")
    place, down, across = pixel_of(*place_of(325, 250), 14)
    asked = {**INFO, "TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": "14"}
    asked |= {"TILEROW": place.y, "TILECOL": place.x, "I": across, "J": down}
    (feature,) = http.get(f"/jobs/{job}/wmts", params=asked).json()["features"]
    assert feature["properties"] == {"heat-boat": 0.75}


def told(answer: Any, status: int) -> tuple[str | None, str | None]:
    """The code and the locator of an exception report."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    report = ET.fromstring(answer.content)
    assert report.tag == f"{OWS}ExceptionReport"
    (exception,) = report
    assert exception.findtext(f"{OWS}ExceptionText")
    return exception.get("exceptionCode"), exception.get("locator")


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"SERVICE": None}, 400, "MissingParameterValue", "Service"),
    ({"SERVICE": "WMS"}, 400, "InvalidParameterValue", "Service"),
    ({"REQUEST": None}, 400, "MissingParameterValue", "Request"),
    ({"REQUEST": "GetMap"}, 501, "OperationNotSupported", "Request"),
    ({"VERSION": None}, 400, "MissingParameterValue", "Version"),
    ({"VERSION": "2.0.0"}, 400, "InvalidParameterValue", "Version"),
    ({"LAYER": "<b>"}, 400, "InvalidParameterValue", "Layer"),
    ({"STYLE": "x"}, 400, "InvalidParameterValue", "Style"),
    ({"FORMAT": "image/jpeg"}, 400, "InvalidParameterValue", "Format"),
    ({"TILEMATRIX": None}, 400, "MissingParameterValue", "TileMatrix"),
    ({"TILEMATRIX": "3"}, 400, "InvalidParameterValue", "TileMatrix"),
    ({"TILEROW": "-1"}, 400, "InvalidParameterValue", "TileRow"),
    ({"TILEROW": "9" * 5000}, 400, "InvalidParameterValue", "TileRow"),
    ({"TILEROW": "2"}, 400, "TileOutOfRange", "TileRow"),
    ({"TILECOL": "2"}, 400, "TileOutOfRange", "TileCol"),
    (
        {"REQUEST": "GetCapabilities", "ACCEPTVERSIONS": "2.0.0"},
        *(400, "VersionNegotiationFailed", "AcceptVersions"),
    ),
    ({**INFO, "I": "256"}, 400, "PointIJOutOfRange", "I"),
    ({**INFO, "INFOFORMAT": "text/html"}, 400, "InvalidParameterValue", "InfoFormat"),
]


def test_refusals_have_the_standards_codes(http: TestClient, job: UUID) -> None:
    for changed, status, code, locator in REFUSED:
        asked = {name: value for name, value in {**TILE, **changed}.items() if value is not None}
        assert told(http.get(f"/jobs/{job}/wmts", params=asked), status) == (code, locator), changed


def test_names_are_in_any_case_and_values_are_not(http: TestClient, job: UUID) -> None:
    path = f"/jobs/{job}/wmts"
    mixed = {name.capitalize(): value for name, value in TILE.items()}
    assert http.get(path, params=mixed).content == http.get(path, params=TILE).content
    assert http.get(path, params={"service": "wmts", "request": "GetTile"}).status_code == 400
    accepted = {"service": "WMTS", "request": "GetCapabilities", "acceptversions": "2.0.0,1.0.0"}
    assert (
        http.get(path, params=accepted).text == http.get(f"{path}/1.0.0/WMTSCapabilities.xml").text
    )


def test_what_is_not_there_is_told_in_xml(
    http: TestClient, app: FastAPI, job: UUID, storage: FolderStorage
) -> None:
    for path in (f"/jobs/{uuid4()}/wmts", "/jobs/none/wmts", f"/jobs/{uuid4()}/wmts/1.0.0/"):
        asked = http.get(path.removesuffix("1.0.0/"), params=TILE)
        assert told(asked, 404)[0] == "NoApplicableCode"
    app.state.layers = Layers(storage, 100_000)
    large = http.get(f"/jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml")
    assert told(large, 400)[0] == "NoApplicableCode"
    assert "GEOGAZE_TILES_MB" in large.text


def test_tiles_are_kept_by_clients(http: TestClient, job: UUID) -> None:
    path = f"/jobs/{job}/wmts"
    tag = http.get(path, params=TILE).headers["etag"]
    assert http.get(path, params=TILE, headers={"If-None-Match": tag}).status_code == 304


def test_names_are_escaped(
    http: TestClient, ledger: Ledger, storage: FolderStorage, upright: Path
) -> None:
    job = finished(ledger, storage, upright, "heat-<Forest> & {Shrub}/2")
    xml = http.get(f"/jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml").content
    layer = WebMapTileService("", xml=xml).contents["heat-<Forest> & {Shrub}/2"]
    names = {"TileMatrixSet": "SceneGrid", "TileMatrix": "0", "TileRow": "0", "TileCol": "0"}
    template = layer.resourceURLs[0]["template"]
    assert picture(http.get(template.format(**names))).shape == (256, 256, 4)
    assert RENDER["title"] == layer.title
