"""Layers as OGC API – Tiles describes them: resources with sets of map tiles."""

from __future__ import annotations

from typing import Any

from morecantile.models import TileMatrixSet

from api.catalogue import GEODATA_REL, link
from api.layers import Layer
from geogaze.gis.grids import OWN, WEB, Grid, web_document
from geogaze.gis.lattice import Bounds, Lattice

_TILES, _TMS = (
    f"http://www.opengis.net/spec/{name}/conf" for name in ("ogcapi-tiles-1/1.0", "tms/2.0")
)
CONFORMANCE = [
    *(
        f"{_TILES}/{name}"
        for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "png", "oas30")
    ),
    *(f"{_TMS}/{name}" for name in ("tilematrixset", "json-tilematrixset")),
    *(f"{_TMS}/{name}" for name in ("tilesetmetadata", "json-tilesetmetadata")),
]
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_SCHEME, SCHEMES, _TILESETS = (
    f"{_REL}/{name}" for name in ("tiling-scheme", "tiling-schemes", "tilesets-map")
)
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_PNG = "image/png"


def scheme_list(base: str) -> dict[str, Any]:
    """The tile matrix sets that all layers have."""
    document = web_document()
    address = f"{base}/tileMatrixSets/{WEB}"
    one = {
        "id": document.id,
        "title": document.title,
        "uri": str(document.uri),
        "crs": str(document.crs.root),
        "links": [link("self", address)],
    }
    return {"tileMatrixSets": [one], "links": [link("self", f"{base}/tileMatrixSets")]}


def scheme(document: TileMatrixSet) -> dict[str, Any]:
    """A tile matrix set."""
    made: dict[str, Any] = document.model_dump(mode="json", exclude_none=True)
    return made


def resource(layer: Layer, lattice: Lattice, base: str) -> dict[str, Any]:
    """A layer as a geospatial resource: what it covers, and what there is of it."""
    address = layer.address(base)
    return {
        "id": layer.name,
        "title": layer.title,
        "dataType": "map",
        "extent": {"spatial": {"bbox": [list(lattice.degrees)], "crs": _CRS84}},
        "links": [
            link("self", address),
            tilesets_link(layer, base),
            link("alternate", f"{address}/tilejson.json", title="as TileJSON"),
            link(f"{_REL}/legend", f"{address}/legend.png", _PNG, title="its colours"),
            link("describedby", f"{address}/statistics", title="its values"),
        ],
    }


def tilesets_link(layer: Layer, base: str) -> dict[str, Any]:
    """Where a layer's tilesets are."""
    return link(_TILESETS, f"{layer.address(base)}/map/tiles", title="its map tiles")


def tileset_list(layer: Layer, grids: dict[str, Grid], base: str) -> dict[str, Any]:
    """The tilesets of a layer, in short."""
    return {
        "tilesets": [_in_short(layer, grid, base) for grid in grids.values()],
        "links": [link("self", f"{layer.address(base)}/map/tiles")],
    }


def tileset(layer: Layer, grid: Grid, base: str) -> dict[str, Any]:
    """A tileset of a layer, in full."""
    told, address = _in_short(layer, grid, base), layer.address(base)
    tiles = f"{address}/map/tiles/{grid.document.id}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    return {
        **told,
        "mediaTypes": [_PNG],
        "layers": [
            {
                "id": layer.name,
                "title": layer.title,
                "dataType": "map",
                "boundingBox": _box(grid.shown.lattice.degrees),
            }
        ],
        "boundingBox": _box(grid.shown.lattice.degrees),
        "links": [
            *told["links"],
            link("item", tiles, _PNG, templated=True, title="a tile"),
            link(GEODATA_REL, address, title="the layer"),
        ],
    }


def _in_short(layer: Layer, grid: Grid, base: str) -> dict[str, Any]:
    document, address = grid.document, layer.address(base)
    own = document.id == OWN
    where = f"{address if own else base}/tileMatrixSets/{document.id}"
    return {
        "title": f"{layer.title} ({document.id})",
        "dataType": "map",
        "crs": str(document.crs.root),
        **({} if own else {"tileMatrixSetURI": str(document.uri)}),
        "links": [
            link("self", f"{address}/map/tiles/{document.id}"),
            link(_SCHEME, where, title="how it is cut"),
        ],
    }


def _box(bounds: Bounds) -> dict[str, Any]:
    left, bottom, right, top = bounds
    return {"lowerLeft": [left, bottom], "upperRight": [right, top], "crs": _CRS84}
