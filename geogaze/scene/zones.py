"""Polygons of a user's own, each by itself: GeoJSON, GeoPackage, shapefile, FlatGeobuf.

For the command line alone, as areas of interest from files are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from geogaze.errors import InvalidRequest
from geogaze.extras import need
from geogaze.scene.aoi import named_crs, polygons_of

_STEPS = 256  # along a zone's longest side: an edge is no straight line in another CRS
_NO_ZONES = (OSError, ValueError, KeyError, TypeError, RecursionError, ShapelyError, ProjError)
_NAMES = ("name", "id", "fid")  # columns that may name a zone, in any case


class Zone(NamedTuple):
    """A zone's name, its polygons in the CRS that was asked for, and what its file says of it."""

    name: str
    area: shapely.Geometry
    properties: dict[str, Any]


def read_zones(path: Path, crs_wkt: str) -> list[Zone]:
    """The features of a file that are polygons, in a CRS.

    They are named by their column ``name``, ``id`` or ``fid``, else by their number, from 1.

    Args:
        path: GeoJSON (in longitude and latitude, or with a ``crs``), or what GDAL reads.
        crs_wkt: that the polygons are wanted in.

    Raises:
        InvalidRequest: it cannot be read, or holds no polygon.
        LibraryAbsent: what reads such a file is not installed.
    """
    try:
        geojson = path.suffix.lower() in {".geojson", ".json"}
        crs, features = _from_geojson(path) if geojson else _from_layer(path)
        there = _way(crs, crs_wkt)
        zones = [Zone(_name(said, fid), _moved(area, there), said) for fid, said, area in features]
    except _NO_ZONES as error:
        raise InvalidRequest(
            f"{path} cannot be read as polygons: {error}. It takes GeoJSON, GeoPackage, shapefile "
            "or FlatGeobuf."
        ) from error
    if not zones:
        raise InvalidRequest(f"{path} holds no polygon.")
    return zones


_Features = Iterable[tuple[Any, dict[str, Any], Any]]
"""Of each its number in the file, its columns and its polygons."""


def _from_geojson(path: Path) -> tuple[Any, _Features]:
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    several = document["type"] == "FeatureCollection"
    features = document["features"] if several else [document]
    found = []
    for number, feature in enumerate(features, start=1):
        if feature["type"] == "Feature" and feature["geometry"] is None:
            continue
        area = shapely.union_all(_valid(polygons_of(feature)))
        fid = feature.get("id")
        said = feature.get("properties") or {}
        found.append((number if fid is None else fid, said, area))
    return named_crs(document), found


def _from_layer(path: Path) -> tuple[Any, _Features]:
    if not path.is_file():
        raise OSError("there is no such file")
    need("pyogrio", "vectors", f"Reading {path.name}, which is no GeoJSON,")
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind and "Polygon" in kind]
        if len(layers) != 1:
            raise ValueError(f"it has {len(layers)} layers with polygons; save one by itself")
        meta, fids, blobs, values = pyogrio.raw.read(path, layer=layers[0], return_fids=True)
    except (DataLayerError, DataSourceError) as error:
        raise OSError(error) from error
    columns = [_plain(column) for column in values]

    def each() -> _Features:
        for row, blob in enumerate(blobs):
            if blob is not None:
                said = {
                    field: column[row]
                    for field, column in zip(meta["fields"], columns, strict=True)
                }
                area = shapely.force_2d(shapely.from_wkb(blob))
                yield int(fids[row]), said, shapely.union_all(_valid([area]))

    return meta["crs"] or "OGC:CRS84", each()


def _plain(column: Any) -> list[Any]:
    """A column's values as Python's own; what is missing is None."""
    return [
        None if isinstance(value, float) and math.isnan(value) else value
        for value in column.tolist()
    ]


def _name(said: dict[str, Any], fid: Any) -> str:
    columns = {key.lower(): value for key, value in said.items()}
    known = (columns.get(name) for name in _NAMES)
    return next((str(value) for value in known if value not in {None, ""}), str(fid))


def _valid(areas: list[Any]) -> list[Any]:
    return [shapely.make_valid(area) for area in areas]


def _way(crs: Any, wanted: str) -> pyproj.Transformer | None:
    """From a CRS to another; None where they are one, and edges stay as straight as they are."""
    there, here = pyproj.CRS(crs), pyproj.CRS(wanted)
    if there.equals(here, ignore_axis_order=True):
        return None
    return pyproj.Transformer.from_crs(there, here, always_xy=True)


def _moved(area: Any, there: pyproj.Transformer | None) -> Any:
    if there is None:
        return area
    longest = max(np.ptp(shapely.get_coordinates(area), axis=0), default=0) or 1
    fine = shapely.segmentize(area, longest / _STEPS)
    moved = shapely.transform(fine, lambda at: np.stack(there.transform(*at.T), axis=1))
    if not np.isfinite(moved.bounds).all():
        raise ValueError("a polygon reaches to where the layers' CRS has no coordinates")
    return shapely.make_valid(moved)
