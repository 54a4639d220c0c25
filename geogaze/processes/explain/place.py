"""Where on Earth a job's products lie, as its STAC Item will say it; found when planning.

What cannot be said in longitude and latitude (other planets, the edge of a satellite's disc) is
left out, as STAC allows, and stops nobody.
"""

from __future__ import annotations

import math

import numpy as np
import pyproj
import shapely
from affine import Affine
from pyproj.exceptions import ProjError
from shapely import affinity
from shapely.errors import ShapelyError
from shapely.geometry import box, mapping
from shapely.geometry.polygon import orient

from geogaze.grid.lattice import Box
from geogaze.products.facts import Place

_STEPS = 64  # along each side: a border is no straight line in longitude and latitude
_FLAT = 1e-4  # share of its extent by which a border may be simplified …
_ROUND = 1e-7  # … and degrees, about a centimetre
_WORLD = (-180.0, -90.0, 180.0, 90.0)


def place_of(crs_wkt: str, transform: Affine, bounds: Box) -> Place:
    """The place of some pixels.

    Args:
        crs_wkt: of the scene.
        transform: pixels (col, row) to the CRS.
        bounds: the pixels.
    """
    crs = pyproj.CRS.from_wkt(crs_wkt)
    code = _code(crs)
    named = {"code": code, "wkt2": None if code else crs.to_wkt()}
    try:
        outline = _outline(crs, transform, bounds)
    except (ProjError, ShapelyError, ValueError):
        return Place(**named)
    west, south, east, north = outline.bounds
    if east - west >= 360 - _ROUND:
        west, east = -180.0, 180.0
    elif east > 180:
        east -= 360
    world = [affinity.translate(outline, -360 * turn).intersection(box(*_WORLD)) for turn in (0, 1)]
    area = shapely.union_all([part for part in world if part.area > 0])
    # Counter-clockwise, as RFC 7946 wants it.
    return Place(geometry=mapping(_orient(area)), bbox=(west, south, east, north), **named)


def _code(crs: pyproj.CRS) -> str | None:
    """The EPSG code of a CRS, unless that is another one with the same name or much like it."""
    epsg = crs.to_epsg()
    if epsg and pyproj.CRS.from_epsg(epsg).equals(crs, ignore_axis_order=True):
        return f"EPSG:{epsg}"
    return None


def _outline(crs: pyproj.CRS, transform: Affine, bounds: Box) -> shapely.Geometry:
    """The border in longitude and latitude, from a west within -180..180 on without a jump.

    Raises:
        ProjError: the CRS is not tied to Earth.
        ValueError: a part of the border lies nowhere.
    """
    top, left, bottom, right = bounds
    corners = np.array([(left, top), (left, bottom), (right, bottom), (right, top), (left, top)])
    at = np.arange(4 * _STEPS + 1) / _STEPS
    cols, rows = (np.interp(at, range(5), side) for side in corners.T)
    x, y = transform @ (cols, rows)
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lons, lats = (np.asarray(axis) for axis in to_lonlat.transform(x, y))
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        raise ValueError("a part of the border lies nowhere")
    lons = np.unwrap(lons, period=360)
    lats = np.clip(lats, *_WORLD[1::2])
    ring = np.stack([lons, lats], axis=1)
    if abs(lons[-1] - lons[0]) > 180:  # once around a pole
        pole = math.copysign(90, lats.mean())
        ring = np.vstack([ring, [(lons[-1], pole), (lons[0], pole)]])
    plain = shapely.Polygon(ring).simplify(max(_ROUND, _FLAT * np.ptp(ring, axis=0).max()))
    plain = shapely.make_valid(plain)
    turns = math.floor((plain.bounds[0] + 180) / 360)
    return shapely.set_precision(affinity.translate(plain, -360 * turns), 1e-9)


def _orient(area: shapely.Geometry) -> shapely.Geometry:
    parts = [orient(part) for part in shapely.get_parts(area) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
