"""Layers of a job as maps ask for them: TileJSON, tiles, values, statistics, legends."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from shapely.geometry import mapping

from api.access import Need, needs
from api.catalogue import GeoJSON, link
from api.dependencies import JobId, With, base_url
from api.layers import PICTURE, Layer, OneLayer, WithLayers, picture
from api.problems import documented
from api.searching import area_of, numbers
from api.tilesets import tilesets_link
from api.zonal import Areas, features_of, told
from geogaze.errors import InvalidRequest
from geogaze.gis.lattice import LONLAT
from geogaze.gis.tiles import MAX_ZOOM, Place, ramp
from geogaze.gis.zonal import crs_of, statistics_in
from geogaze.products.colormaps import render_stops

router = APIRouter(prefix="/jobs/{job}/layers", tags=["layers"])


class Side(IntEnum):
    """Pixels along a side of a tile; the larger are for screens with two pixels for one."""

    usual = 256
    double = 512


@router.get("", responses=documented(404, 410))
def layers(request: Request, job_id: JobId, services: With, known: WithLayers) -> dict[str, Any]:
    """The layers of a successful job that maps can ask for in tiles."""
    base = base_url(request)
    return {
        "wmts": f"{base}/jobs/{job_id}/wmts/1.0.0/WMTSCapabilities.xml",
        "layers": [
            {
                "name": layer.name,
                "title": layer.title,
                "tilejson": f"{layer.address(base)}/tilejson.json",
                "tiles": _tiles(layer, base),
                "legend": f"{layer.address(base)}/legend.png",
                "links": [link("self", layer.address(base)), tilesets_link(layer, base)],
            }
            for layer in known.of(services, job_id)
        ],
    }


@router.get("/{layer:path}/tilejson.json", responses=documented(404, 410))
def tilejson(request: Request, layer: OneLayer, known: WithLayers) -> dict[str, Any]:
    """Where a layer's tiles are and what they show (TileJSON 3.0); `renders` is the Item's own."""
    shown = known.shown(layer)
    left, bottom, right, top = shown.lattice.bounds(LONLAT)
    east = right + 360 if right < left else right  # it lies across the antimeridian
    middle = ((left + east) / 2 + 180) % 360 - 180
    return {
        "tilejson": "3.0.0",
        "name": layer.title,
        "scheme": "xyz",
        "tiles": [_tiles(layer, base_url(request))],
        "minzoom": 0,
        "maxzoom": shown.max_zoom,
        "bounds": list(shown.lattice.degrees),
        "center": [middle, (bottom + top) / 2, max(0, shown.max_zoom - 4)],
        "renders": {layer.name: layer.render},
    }


@router.get(
    "/{layer:path}/tiles/WebMercatorQuad/{z}/{x}/{y}.png",
    response_class=Response,
    responses=PICTURE,
)
def tile(
    request: Request,
    layer: OneLayer,
    known: WithLayers,
    z: Annotated[int, Path(ge=0, le=MAX_ZOOM)],
    x: Annotated[int, Path(ge=0, lt=2**MAX_ZOOM)],
    y: Annotated[int, Path(ge=0, lt=2**MAX_ZOOM)],
    size: Annotated[Side, Query(description="Pixels along a side.")] = Side.usual,
) -> Response:
    """A tile of a layer, coloured as the job's Item says; clear where there is nothing."""
    place = Place(z, x, y)
    if not place.exists:
        raise InvalidRequest(f"At zoom {z} columns and rows go from 0 to {2**z - 1}, not {x}, {y}.")
    return picture(request, layer, lambda: known.shown(layer).tile(place, size))


@router.get("/{layer:path}/legend.png", response_class=Response, responses=PICTURE)
def legend(request: Request, layer: OneLayer) -> Response:
    """The colours of a layer, from its lowest value (left) to its highest."""
    return picture(request, layer, lambda: ramp(render_stops(layer.render)))


@router.get("/{layer:path}/point/{lon},{lat}", responses=documented(404, 410))
def point(
    layer: OneLayer,
    known: WithLayers,
    lon: Annotated[float, Path(ge=-180, le=180, allow_inf_nan=False)],
    lat: Annotated[float, Path(ge=-90, le=90, allow_inf_nan=False)],
) -> dict[str, Any]:
    """The value of the cell at a place, as the file has it; null where there is none."""
    value = known.lattice(layer).value(lon, lat)
    return {"coordinates": [lon, lat], "values": [value], "band_names": [layer.name]}


@router.get("/{layer:path}/statistics", responses=documented(404, 410))
def statistics(
    layer: OneLayer,
    known: WithLayers,
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees")] = None,
) -> dict[str, Any]:
    """Of the cells that were looked at, all of them or those in a box: extremes, mean, percentiles,
    a histogram.
    """
    lattice = known.lattice(layer)
    if bbox is None:
        return {layer.name: lattice.statistics}
    (found,) = statistics_in(lattice, [mapping(area_of(numbers(bbox)))])
    return {layer.name: found}


@router.post(
    "/{layer:path}/statistics", response_class=GeoJSON, responses=documented(404, 410, 413)
)
@needs(Need.READ)
def statistics_by_area(layer: OneLayer, known: WithLayers, areas: Areas) -> GeoJSON:
    """The same of each area of a GeoJSON document: it comes back with them in the properties of its
    features, as `statistics`. A cell counts by the share of it that lies in the area.
    """
    found = statistics_in(known.lattice(layer), features_of(areas), crs_of(areas))
    return GeoJSON(told(areas, layer.name, found))


def _tiles(layer: Layer, base: str) -> str:
    return f"{layer.address(base)}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png"
