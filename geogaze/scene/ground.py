"""How large a scene's pixels are on the ground, and whether they are squares there."""

from __future__ import annotations

import math
from typing import NamedTuple

import pyproj
from affine import Affine
from pyproj.exceptions import ProjError

from geogaze.errors import SceneUnusable

_EARTH = 6_378_137.0
_ODD_SCALE = 0.01  # UTM departs from true metres by 0.1 % at most, Web Mercator by far more
_EQUAL = 1.001  # sides of a pixel that are equal but for the projection


class Ground(NamedTuple):
    """What a pixel in the middle of a scene is on the ground.

    ``pixel_metres`` is its side, the mean of both; ``aspect`` its width over its height, 1 where
    they differ by the projection alone; ``metric_crs`` a CRS in true metres around it: UTM, or
    polar stereographic; None off the Earth.
    """

    pixel_metres: float
    aspect: float
    metric_crs: str | None


def ground_of(name: str, crs_wkt: str, affine: Affine, shape: tuple[int, int]) -> Ground:
    """How large a scene's pixels are.

    The CRS's own units are taken at their word where they are true to scale within 1 % (UTM,
    state plane); elsewhere (degrees, Web Mercator) distances are measured on the ellipsoid.

    Args:
        name: the scene's, for messages.
        crs_wkt: its CRS.
        affine: pixel (col, row) corners to CRS coordinates.
        shape: its pixels (h, w).

    Raises:
        SceneUnusable: the CRS is a local grid, or the coordinates lie nowhere.
    """
    try:
        crs = pyproj.CRS.from_wkt(crs_wkt)
        across, down = _measure(crs, affine, shape)
    except (ProjError, AttributeError) as error:  # AttributeError: a CRS without an ellipsoid
        raise SceneUnusable(f"The CRS of {name!r} is tied to no place on Earth: {error}") from error
    if not all(math.isfinite(side) and side > 0 for side in (across, down)):
        raise SceneUnusable(f"The CRS and affine of {name!r} put it nowhere on Earth; check them.")
    ratio = across / down
    aspect = 1.0 if 1 / _EQUAL < ratio < _EQUAL else ratio
    return Ground(math.sqrt(across * down), aspect, _metric_crs(crs, affine, shape))


def _measure(crs: pyproj.CRS, affine: Affine, shape: tuple[int, int]) -> tuple[float, float]:
    unit = crs.axis_info[0].unit_conversion_factor
    nominal = math.hypot(affine.a, affine.d) * unit, math.hypot(affine.b, affine.e) * unit
    col, row = shape[1] / 2, shape[0] / 2
    corners = [affine @ point for point in ((col, row), (col + 1, row), (col, row + 1))]
    transformer = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    across, down = zip(*corners, strict=True)
    lons, lats = transformer.transform(across, down)
    geod: pyproj.Geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    true = [geod.inv(lons[0], lats[0], lons[i], lats[i])[2] for i in (1, 2)]
    if crs.is_projected and all(
        abs(measured / side - 1) < _ODD_SCALE for measured, side in zip(true, nominal, strict=True)
    ):
        return nominal
    return true[0], true[1]


def _metric_crs(crs: pyproj.CRS, affine: Affine, shape: tuple[int, int]) -> str | None:
    if crs.ellipsoid is None or abs(crs.ellipsoid.semi_major_metre - _EARTH) > 10_000:
        return None
    x, y = affine @ (shape[1] / 2, shape[0] / 2)
    transformer = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = transformer.transform(x, y)
    if not -80 <= lat <= 84:
        return "EPSG:3413" if lat > 0 else "EPSG:3031"
    return f"EPSG:{(32600 if lat >= 0 else 32700) + int((lon + 180) % 360 // 6) + 1}"
