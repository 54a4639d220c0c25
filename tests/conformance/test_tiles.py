"""OGC API – Tiles: a client that knows links alone comes from a job to the pixels of its tiles."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from morecantile.models import TileMatrixSet
from PIL import Image

from geogaze.products.colormaps import render_stops
from tests.conformance.conftest import Service
from tests.conformance.requirements import MATRIX_SETS, TILES, meets
from tests.schemas.tiles import check

REL = "http://www.opengis.net/def/rel/ogc/1.0"
CONF = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
TMS = "http://www.opengis.net/spec/tms/2.0/conf"


def linked(document: dict[str, Any], rel: str) -> str:
    (found,) = [link["href"] for link in document["links"] if link["rel"] == rel]
    return str(found)


@pytest.fixture(scope="module")
def layer(service: Service, explained: str) -> dict[str, Any]:
    """The description of a layer of a job."""
    (found,) = service.document(f"{explained}/layers")["layers"]
    document: dict[str, Any] = service.document(linked(found, "self"))
    return document


@pytest.fixture(scope="module")
def tilesets(service: Service, layer: dict[str, Any]) -> list[dict[str, Any]]:
    """Its tilesets, in full."""
    listed = service.document(linked(layer, f"{REL}/tilesets-map"))["tilesets"]
    return [service.document(linked(one, "self")) for one in listed]


@meets("tiles/core", "conformance-success")
def test_the_classes_that_are_declared_are_those_tested_here(service: Service) -> None:
    declared = service.document("/conformance")["conformsTo"]
    for base, classes in ((CONF, TILES), (TMS, MATRIX_SETS)):
        ours = [uri for uri in declared if uri.startswith(f"{base}/")]
        assert sorted(ours) == sorted(f"{base}/{name}" for name in classes)


@meets("tiles/geodata-tilesets", "desc-links", "operation")
def test_a_layer_leads_to_its_tilesets(service: Service, layer: dict[str, Any]) -> None:
    tiles = linked(layer, f"{REL}/tilesets-map")
    assert tiles.startswith(linked(layer, "self"))
    assert tiles.endswith("/map/tiles")
    assert service.document(tiles)["tilesets"]


@meets("tiles/tilesets-list", "tileset-links")
def test_the_list_says_what_a_client_chooses_by(service: Service, layer: dict[str, Any]) -> None:
    here = linked(layer, f"{REL}/tilesets-map")
    listed = service.document(here)
    check(listed, "tilesets")
    assert [one["crs"].rpartition("/")[2] for one in listed["tilesets"]] == ["3857", "32631"]
    for one in listed["tilesets"]:
        scheme = service.document(linked(one, f"{REL}/tiling-scheme"))
        assert linked(one, "self") == f"{here}/{scheme['id']}"
        assert one.get("tileMatrixSetURI") == scheme.get("uri")


@meets(
    "tiles",
    *("tileset/description", "tms/tilesetmetadata/identifier", "tms/tilesetmetadata/model"),
    *(f"tms/json-tilesetmetadata/{test}" for test in ("ietf", "media-type", "model", "schema")),
)
def test_a_tileset_says_all_there_is_to_know(
    service: Service, tilesets: list[dict[str, Any]]
) -> None:
    for one in tilesets:
        check(one, "tileset")
        assert one["dataType"] == "map"
        scheme = service.document(linked(one, f"{REL}/tiling-scheme"))
        assert one["crs"] == scheme["crs"]
        (item,) = [link for link in one["links"] if link["rel"] == "item"]
        assert (item["templated"], item["type"]) == (True, "image/png")
        assert set(re.findall(r"{(\w+)}", item["href"])) == {"tileMatrix", "tileRow", "tileCol"}


@meets(
    "tiles/tms",
    "tilematrixset/model",
    *(f"json-tilematrixset/{test}" for test in ("ietf", "media-type", "model", "schema")),
)
def test_tile_matrix_sets_are_defined(service: Service, tilesets: list[dict[str, Any]]) -> None:
    listed = service.document(linked(service.document("/"), f"{REL}/tiling-schemes"))
    check(listed, "tileMatrixSets")
    addresses = {linked(one, f"{REL}/tiling-scheme") for one in tilesets}
    addresses |= {linked(one, "self") for one in listed["tileMatrixSets"]}
    assert len(addresses) == 2
    for address in addresses:
        document = service.document(address)
        check(document, "tileMatrixSet")
        for matrix in TileMatrixSet.model_validate(document).tileMatrices:
            metres = matrix.scaleDenominator * 0.00028
            assert metres == pytest.approx(matrix.cellSize), "both CRSs are in metres"
    assert service.get("/tileMatrixSets/Round").status_code == 404


def tile(service: Service, tileset: dict[str, Any], matrix: str, row: int, col: int) -> Any:
    address = linked(tileset, "item")
    return service.get(address.format(tileMatrix=matrix, tileRow=row, tileCol=col))


@meets("tiles", "core/tc-op", "core/tc-success", "png/content")
def test_tiles_show_the_cells_of_their_places(
    service: Service, explained: str, layer: dict[str, Any], tilesets: list[dict[str, Any]]
) -> None:
    item = json.loads(service.get(f"{explained}/results/item").content)
    stops = np.array(render_stops(item["properties"]["renders"][layer["id"]]))
    file = BytesIO(service.get(f"{explained}/results/{layer['id']}").content)
    with rasterio.open(file) as cog:
        cells = cog.read(1)
    (own,) = [one for one in tilesets if "tileMatrixSetURI" not in one]
    finest = service.document(linked(own, f"{REL}/tiling-scheme"))["tileMatrices"][-1]
    answer = tile(service, own, finest["id"], 0, 0)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    drawn = np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA")).astype(int)
    assert drawn.shape == (finest["tileHeight"], finest["tileWidth"], 4)
    rows, cols = cells.shape
    wanted = [np.interp(cells, stops[:, 0], stops[:, part]) for part in range(1, 5)]
    expected = np.where(np.isnan(cells), 0, np.array(wanted))
    assert expected[3].max() > 100, "there is something to see"
    assert np.abs(drawn[:rows, :cols, 3] - expected[3]).max() <= 2
    seen = expected[3] > 0
    off = np.abs(drawn[:rows, :cols, :3] - np.moveaxis(expected[:3], 0, -1))
    assert off[seen].max() <= 3
    assert not drawn[rows:, :, 3].any()
    assert not drawn[:, cols:, 3].any()


@meets("tiles/core", "tc-error")
def test_there_are_no_tiles_elsewhere(service: Service, tilesets: list[dict[str, Any]]) -> None:
    for one in tilesets:
        scheme = service.document(linked(one, f"{REL}/tiling-scheme"))
        last = scheme["tileMatrices"][-1]
        rows, cols = last["matrixHeight"], last["matrixWidth"]
        for place in ((last["id"], rows, 0), (last["id"], 0, cols), ("99", 0, 0), ("x", 0, 0)):
            assert tile(service, one, *place).status_code == 400, place
    empty = tile(service, tilesets[0], "5", 0, 0)
    assert empty.status_code == 200
    assert not np.asarray(Image.open(BytesIO(empty.content)).convert("RGBA"))[..., 3].any()


@meets(
    "tiles",
    *(f"core/tc-{name}-definition" for name in ("tilematrix", "tilerow", "tilecol")),
    *("oas30/completeness", "oas30/operation-id"),
)
def test_all_of_it_is_in_the_definition(
    service: Service, layer: dict[str, Any], tilesets: list[dict[str, Any]]
) -> None:
    paths = service.get("/openapi-3.0.json").json()["paths"]
    found = {item["get"]["operationId"]: (path, item["get"]) for path, item in paths.items()
             if "get" in item}  # fmt: skip
    item = urlsplit(linked(tilesets[0], "item")).path
    for suffix, address in (
        ("getTileSetsList", linked(layer, f"{REL}/tilesets-map")),
        ("getTileSet", linked(tilesets[0], "self")),
        ("getTile", item.replace("{tileMatrix}/{tileRow}/{tileCol}", "0/0/0")),
    ):
        ((path, operation),) = [
            one for name, one in found.items() if name.endswith(f".collection.map.{suffix}")
        ]
        pattern = re.sub(r"\\{.*?\\}", ".+", re.escape(path))
        assert re.fullmatch(pattern, urlsplit(address).path), address
        parameters = {one["name"]: one for one in operation["parameters"]}
        assert all(parameters[name]["required"] for name in re.findall(r"{(\w+)", path))
    assert parameters["tileMatrix"]["schema"]["type"] == "string"
    for name in ("tileRow", "tileCol"):
        schema = parameters[name]["schema"]
        assert (schema["type"], schema["minimum"]) == ("integer", 0)
