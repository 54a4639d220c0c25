"""Areas of interest: GeoJSON in, a geometry in the scene's CRS out."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from geogaze.errors import AoiOutsideScene
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.header import SceneInfo

_EPSG = re.compile(
    r"(?:EPSG:|urn:ogc:def:crs:EPSG:[\d.]*:|https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/)(\d{1,6})"
)
_CRS84 = re.compile(
    r"(?:OGC:|urn:ogc:def:crs:OGC:[\d.]*:|https?://www\.opengis\.net/def/crs/OGC/[\d.]+/)CRS84"
)
_MALFORMED = (
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    CPLE_BaseError,
    RasterioError,
    ShapelyError,
)


def locate(aoi: dict[str, Any], scene: SceneInfo) -> dict[str, Any]:
    """The polygons of a GeoJSON document, cut to the scene and in its CRS.

    Coordinates are longitude and latitude (RFC 7946) unless the document names a ``crs``, as
    QGIS writes it.

    Raises:
        AoiOutsideScene: not GeoJSON, no polygon, or no pixel of the scene in common.
    """
    try:
        crs = _named_crs(aoi)
        area = shapely.make_valid(shapely.union_all(_polygons(aoi)))
        if not np.isfinite(shapely.get_coordinates(area)).all():
            raise ValueError("a coordinate is not finite")
        # Cut in the area's CRS: a continent does not survive the way into a UTM zone.
        outline = shape(transform_geom(scene.crs_wkt, crs, mapping(_outline(scene, steps=16))))
        inside = area.intersection(shapely.make_valid(outline))
        if inside.area > 0:
            inside = shape(transform_geom(crs, scene.crs_wkt, mapping(inside)))
    except _MALFORMED as error:
        raise AoiOutsideScene(
            f"The area of interest is not GeoJSON polygons ({error}). It takes a Polygon, "
            "MultiPolygon, Feature or FeatureCollection in longitude and latitude."
        ) from error
    inside = shapely.make_valid(inside).intersection(_outline(scene))
    if not inside.area > 0:
        raise AoiOutsideScene(
            f"The area of interest {_bounds(area)} does not touch the scene {_bounds(outline)} "
            f"(coordinates of {crs})."
        )
    return dict(mapping(inside))


def _named_crs(aoi: dict[str, Any]) -> str:
    """The CRS a document names, from a closed list of spellings.

    PROJ would open files and URLs for others.
    """
    if not aoi.get("crs"):
        return "OGC:CRS84"
    name = str(aoi["crs"]["properties"]["name"])
    if match := _EPSG.fullmatch(name):
        return f"EPSG:{int(match[1])}"
    if _CRS84.fullmatch(name):
        return "OGC:CRS84"
    raise ValueError(f"its crs {name[:80]!r} is neither EPSG:n nor CRS84")


def _outline(scene: SceneInfo, steps: int = 1) -> shapely.Polygon:
    """The scene's border in its CRS, each side in ``steps`` pieces."""
    across, down = np.linspace(0, scene.width, steps + 1), np.linspace(0, scene.height, steps + 1)
    ring = [
        *((x, 0.0) for x in across[:-1]),
        *((float(scene.width), y) for y in down[:-1]),
        *((x, float(scene.height)) for x in across[:0:-1]),
        *((0.0, y) for y in down[:0:-1]),
    ]
    return shapely.Polygon([scene.affine @ point for point in ring])


def _polygons(document: dict[str, Any]) -> list[Any]:
    kind = document["type"]
    if kind == "FeatureCollection":
        return [p for feature in document["features"] for p in _polygons(feature)]
    if kind == "Feature":
        return _polygons(document["geometry"])
    if kind not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"it holds a {kind}")
    return [shape(document)]


def _bounds(geometry: Any) -> str:
    return "(" + ", ".join(f"{value:.10g}" for value in geometry.bounds) + ")"


def pixel_box(area: dict[str, Any], working: WorkingGrid) -> Box:
    """The working pixels that enclose an area, cut to the grid."""
    inverse = ~working.transform
    points = [inverse @ (x, y) for x, y in shapely.get_coordinates(shape(area))]
    cols, rows = zip(*points, strict=True)
    return (
        max(0, math.floor(min(rows))),
        max(0, math.floor(min(cols))),
        min(working.height, math.ceil(max(rows))),
        min(working.width, math.ceil(max(cols))),
    )


def inside_mask(area: dict[str, Any], transform: Affine, shape_: tuple[int, int]) -> NDArray[Any]:
    """Pixels (h, w) whose centre lies in the area."""
    return np.asarray(geometry_mask([area], shape_, transform, invert=True))
