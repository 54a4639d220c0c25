"""Layers of a job by OGC API – Tiles."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api import tilesets
from api.access import Need, needs
from api.dependencies import base_url
from api.layers import PICTURE, OneLayer, WithLayers, picture
from api.problems import documented
from api.written import Negotiated
from geogaze.errors import ObjectNotFound
from geogaze.gis.grids import OWN, WEB, Spot, grid_named, grids_of, web_document
from geogaze.gis.tiles import MAX_ZOOM

router = APIRouter(tags=["tiles"], route_class=Negotiated)

_LAYER = "/jobs/{job}/layers/{layer:path}"
_MAP = f"{_LAYER}/map/tiles"
_GIVEN = "layer.collection.map"  # operations end in what the standard has for maps of a resource
_FARTHEST = 2**MAX_ZOOM

GridName = Annotated[
    str, Path(alias="tileMatrixSet", description=f"`{WEB}`, or `{OWN}` where the layer has it.")
]


def _spot(
    matrix: Annotated[str, Path(alias="tileMatrix", description="A scale: 0 is the coarsest.")],
    row: Annotated[int, Path(alias="tileRow", ge=0, lt=_FARTHEST, description="From the top.")],
    col: Annotated[int, Path(alias="tileCol", ge=0, lt=_FARTHEST, description="From the left.")],
) -> Spot:
    return Spot(matrix, row, col)


@router.get("/tileMatrixSets", operation_id="getTileMatrixSetsList", responses=documented())
@needs(Need.NOTHING)
def schemes(request: Request) -> dict[str, Any]:
    """The tile matrix sets that all layers have."""
    return tilesets.scheme_list(base_url(request))


@router.get(
    "/tileMatrixSets/{tileMatrixSet}",
    operation_id="getTileMatrixSet",
    responses=documented(404),
)
@needs(Need.NOTHING)
def scheme(name: GridName) -> dict[str, Any]:
    """A tile matrix set that all layers have."""
    if name != WEB:
        raise ObjectNotFound(f"There is no tile matrix set {name[:80]!r}; there is {WEB}.")
    return tilesets.scheme(web_document())


@router.get(_MAP, operation_id=f"{_GIVEN}.getTileSetsList", responses=documented(404, 410))
def tileset_list(request: Request, layer: OneLayer, known: WithLayers) -> dict[str, Any]:
    """The tilesets of a layer."""
    return tilesets.tileset_list(layer, grids_of(known.shown(layer)), base_url(request))


@router.get(
    f"{_MAP}/{{tileMatrixSet}}",
    operation_id=f"{_GIVEN}.getTileSet",
    responses=documented(404, 410),
)
def tileset(request: Request, layer: OneLayer, known: WithLayers, name: GridName) -> dict[str, Any]:
    """A tileset of a layer: where its tiles are."""
    return tilesets.tileset(layer, grid_named(name, known.shown(layer)), base_url(request))


@router.get(
    f"{_MAP}/{{tileMatrixSet}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}",
    operation_id=f"{_GIVEN}.getTile",
    response_class=Response,
    responses=PICTURE,
)
def tile(
    request: Request,
    layer: OneLayer,
    known: WithLayers,
    name: GridName,
    spot: Annotated[Spot, Depends(_spot)],
    _format: Annotated[Literal["png"], Query(alias="f", description="How it is encoded.")] = "png",
) -> Response:
    """A tile of a layer, coloured as the job's Item says; clear where there is nothing."""
    return picture(request, layer, lambda: grid_named(name, known.shown(layer)).tile(spot))


@router.get(
    f"{_LAYER}/tileMatrixSets/{OWN}",
    operation_id="layer.getTileMatrixSet",
    responses=documented(404, 410),
)
def own_scheme(layer: OneLayer, known: WithLayers) -> dict[str, Any]:
    """The layer's own tile matrix set, in which a pixel is a cell."""
    return tilesets.scheme(grid_named(OWN, known.shown(layer)).document)


@router.get(_LAYER, operation_id="layer", responses=documented(404, 410))
def resource(request: Request, layer: OneLayer, known: WithLayers) -> dict[str, Any]:
    """A layer: what it covers, and what there is of it."""
    return tilesets.resource(layer, known.lattice(layer), base_url(request))
