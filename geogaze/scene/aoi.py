"""Areas of interest: GeoJSON in, a geometry in the scene's CRS out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from shapely import affinity
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from geogaze.errors import AoiOutsideScene
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.info import SceneInfo

CRS84 = "OGC:CRS84"
"""Longitude and latitude."""

_EPSG = re.compile(
    r"(?:EPSG:|urn:ogc:def:crs:EPSG:[\d.]*:|https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/)(\d{1,6})",
    re.IGNORECASE,
)
_CRS84 = re.compile(
    r"(?:OGC:|urn:ogc:def:crs:OGC:[\d.]*:|https?://www\.opengis\.net/def/crs/OGC/[\d.]+/)?CRS84",
    re.IGNORECASE,
)
_FARTHEST = 1e9  # metres, feet or degrees
_MOST_LOOKED_AT = 16_000_000  # pixels of an area's box; in a larger one a sliver is found later
_STEPS = 64  # along an area's longer side
_KNOWN = 64  # rasters whose borders are kept: areas of one come many at a time
MALFORMED = (
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    CPLE_BaseError,
    RasterioError,
    ShapelyError,
)


class Georeference(NamedTuple):
    """Where a raster lies: its CRS, from its pixels' corners (col, row) to that, and its size."""

    crs_wkt: str
    affine: Affine
    width: int
    height: int


class Cut(NamedTuple):
    """An area cut to a raster, in its CRS (empty where it lies elsewhere); the area as it was asked
    for, and the raster's outline, in the area's own.
    """

    inside: Any
    asked: Any
    outline: Any


def locate(aoi: dict[str, Any], scene: SceneInfo) -> dict[str, Any]:
    """The polygons of a GeoJSON document, cut to the scene and in its CRS.

    Coordinates are longitude and latitude (RFC 7946) unless the document names a ``crs``, as
    QGIS writes it.

    Raises:
        AoiOutsideScene: not GeoJSON, no polygon, or no pixel of the scene in common.
    """
    there = Georeference(scene.crs_wkt, scene.affine, scene.width, scene.height)
    try:
        crs = named_crs(aoi)
        found = cut(aoi, crs, there)
    except MALFORMED as error:
        raise AoiOutsideScene(
            f"The area of interest is not GeoJSON polygons ({error}). It takes a Polygon, "
            "MultiPolygon, GeometryCollection, Feature or FeatureCollection in longitude and "
            "latitude."
        ) from error
    if not found.inside.area > 0:
        raise AoiOutsideScene(
            f"The area of interest {_bounds(found.asked)} does not touch the scene "
            f"{_bounds(found.outline)} (coordinates of {crs})."
        )
    return dict(mapping(_surfaces(found.inside)))


def cut(document: dict[str, Any], crs: str, there: Georeference) -> Cut:
    """The polygons of a GeoJSON document, cut to a raster.

    Raises:
        One of MALFORMED: not GeoJSON, or no polygon.
    """
    asked = shapely.get_parts(polygons_of(document))
    if not (np.abs(shapely.get_coordinates(asked)) < _FARTHEST).all():
        raise ValueError("a coordinate is not finite, or far beyond the Earth")
    area = _all_turns(shapely.union_all(shapely.make_valid(asked)), crs)
    outline = _outline_in(crs, there)
    if pole := _pole(crs, there):
        inside = _towards(area, crs, there, pole)
    else:
        # Cut in the area's CRS: a continent does not survive the way into a UTM zone.
        inside = area.intersection(outline)
        if inside.area > 0:
            fine = mapping(_by_steps(inside))
            inside = shape(transform_geom(crs, there.crs_wkt, fine))
    return Cut(shapely.make_valid(inside).intersection(_outline(there)), area, outline)


def check_pixels(area: dict[str, Any], working: WorkingGrid) -> None:
    """Refuse an area too thin or too small to hold the centre of a pixel.

    Raises:
        AoiOutsideScene: it holds none.
    """
    top, left, bottom, right = pixel_box(area, working)
    if (bottom - top) * (right - left) > _MOST_LOOKED_AT:
        return
    corner = working.transform @ Affine.translation(left, top)
    if not inside_mask(area, corner, (max(1, bottom - top), max(1, right - left))).any():
        raise AoiOutsideScene(
            "The area of interest lies in the scene, but holds the centre of no pixel: it is "
            "too small or too thin. Widen it, or ask for a finer --gsd."
        )


def _all_turns(area: Any, crs: str) -> Any:
    """An area in degrees wherever its longitudes were counted from: 190 is -170."""
    west, _, east, _ = area.bounds
    if crs != CRS84 or (west >= -180 and east <= 180):
        return area
    return shapely.union_all([affinity.translate(area, turn) for turn in (-360.0, 0.0, 360.0)])


@lru_cache(_KNOWN)
def _pole(crs: str, there: Georeference) -> int:
    """1 or -1 where a raster holds the north or south pole and an area is in degrees, else 0.

    Its border goes round the pole, which no polygon in degrees does.
    """
    if crs != CRS84:
        return 0
    way = Transformer.from_crs(CRS84, there.crs_wkt, always_xy=True)
    for pole in (1, -1):
        xs, ys = way.transform([0.0, 90.0], [90.0 * pole] * 2)
        if not np.isfinite([xs, ys]).all() or math.dist(*zip(xs, ys, strict=True)) > 1:
            continue  # beyond the projection, or drawn as a line
        col, row = ~there.affine @ (xs[0], ys[0])
        if 0 <= col <= there.width and 0 <= row <= there.height:
            return pole
    return 0


def _towards(area: Any, crs: str, there: Georeference, pole: int) -> Any:
    """An area in degrees in the CRS of a raster around a pole, by short steps along its border."""
    half = shapely.box(-180, 0, 180, 90) if pole > 0 else shapely.box(-180, -90, 180, 0)
    way = Transformer.from_crs(crs, there.crs_wkt, always_xy=True)
    near = shapely.segmentize(_surfaces(area.intersection(half)), 0.25)
    moved = shapely.transform(near, lambda at: np.stack(way.transform(*at.T), axis=1))
    return shapely.make_valid(moved)


def _by_steps(area: Any) -> Any:
    """An area with more places along its border, which is not straight in another CRS."""
    longest = float(np.ptp(shapely.get_coordinates(area), axis=0).max())
    return shapely.segmentize(area, longest / _STEPS)


def _surfaces(geometry: Any) -> Any:
    """What has an area of a geometry."""
    parts = shapely.get_parts(geometry)
    return shapely.union_all([part for part in parts if part.area > 0])


def named_crs(aoi: dict[str, Any]) -> str:
    """The CRS a document names, from a closed list of spellings.

    PROJ would open files and URLs for others.
    """
    if not aoi.get("crs"):
        return CRS84
    name = str(aoi["crs"]["properties"]["name"])
    if match := _EPSG.fullmatch(name):
        # GeoJSON has x before y, whatever the authority says.
        return CRS84 if int(match[1]) == 4326 else f"EPSG:{int(match[1])}"
    if _CRS84.fullmatch(name):
        return CRS84
    raise ValueError(f"its crs {name[:80]!r} is neither EPSG:n nor CRS84")


@lru_cache(_KNOWN)
def _outline_in(crs: str, there: Georeference) -> Any:
    """A raster's border in another CRS."""
    border = mapping(_outline(there, steps=16))
    return shapely.make_valid(shape(transform_geom(there.crs_wkt, crs, border)))


def _outline(there: Georeference, steps: int = 1) -> shapely.Polygon:
    """A raster's border in its CRS, each side in ``steps`` pieces."""
    across, down = np.linspace(0, there.width, steps + 1), np.linspace(0, there.height, steps + 1)
    ring = [
        *((x, 0.0) for x in across[:-1]),
        *((float(there.width), y) for y in down[:-1]),
        *((x, float(there.height)) for x in across[:0:-1]),
        *((0.0, y) for y in down[:0:-1]),
    ]
    return shapely.Polygon([there.affine @ point for point in ring])


def polygons_of(document: dict[str, Any]) -> list[Any]:
    """All polygons of a document.

    Raises:
        ValueError: it has none, or something else in their place.
    """
    polygons = list(_within(document))
    if not polygons:
        raise ValueError("it holds no polygon")
    return polygons


def _within(document: dict[str, Any]) -> Iterator[Any]:
    kind = document["type"]
    if kind == "FeatureCollection":
        for feature in document["features"]:
            yield from _within(feature)
    elif kind == "Feature":
        if document["geometry"] is not None:  # RFC 7946 calls such a feature unlocated
            yield from _within(document["geometry"])
    elif kind == "GeometryCollection":
        # Lines and points are what an intersection leaves beside its polygons.
        surfaces = {"Polygon", "MultiPolygon", kind}
        for part in document["geometries"]:
            if part["type"] in surfaces:
                yield from _within(part)
    elif kind in {"Polygon", "MultiPolygon"}:
        yield shape(document)
    else:
        raise ValueError(f"it holds a {kind}")


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
