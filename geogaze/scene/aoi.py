"""Areas of interest: GeoJSON in, a geometry in the scene's CRS out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from shapely.geometry import mapping, shape

from geogaze.errors import AoiOutsideScene
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.header import SceneInfo


def locate(aoi: dict[str, Any], scene: SceneInfo) -> dict[str, Any]:
    """The polygons of a GeoJSON document, in the scene's CRS.

    Coordinates are longitude and latitude (RFC 7946) unless the document names a ``crs``, as
    QGIS writes it.

    Raises:
        AoiOutsideScene: not GeoJSON, no polygon, or no pixel of the scene in common.
    """
    try:
        name = aoi.get("crs", {}).get("properties", {}).get("name", "OGC:CRS84")
        polygons = [
            shape(transform_geom(CRS.from_user_input(name), scene.crs_wkt, mapping(polygon)))
            for polygon in _polygons(aoi)
        ]
        area = shapely.make_valid(shapely.union_all(polygons))
    except (AttributeError, KeyError, TypeError, ValueError, CRSError) as error:
        raise AoiOutsideScene(
            f"The area of interest is not GeoJSON polygons ({error}). It takes a Polygon, "
            "MultiPolygon, Feature or FeatureCollection in longitude and latitude."
        ) from error
    corners = [
        scene.affine @ corner
        for corner in ((0, 0), (scene.width, 0), (scene.width, scene.height), (0, scene.height))
    ]
    inside = area.intersection(shapely.Polygon(corners))
    if inside.area == 0:
        raise AoiOutsideScene(
            f"The area of interest {_bounds(area)} does not touch the scene "
            f"{_bounds(shapely.Polygon(corners))} (coordinates of the scene's CRS)."
        )
    return dict(mapping(inside))


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
    return "(" + ", ".join(f"{value:.6g}" for value in geometry.bounds) + ")"


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
