"""Areas of interest from a user's own files: GeoJSON, WKT, GeoPackage, shapefile, FlatGeobuf.

For the command line alone: no server opens a vector file, whatever a request says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError
from shapely.geometry import mapping

from geogaze.errors import AoiOutsideScene
from geogaze.extras import need

_VECTORS = {".gpkg", ".shp", ".fgb"}
_WKT = re.compile(r"\s*(?:SRID=(\d+);)?\s*((?:MULTI)?POLYGON|GEOMETRYCOLLECTION)\b", re.IGNORECASE)
_STEPS = 64  # along a side, where an area is projected


def read_area(source: str) -> dict[str, Any]:
    """A GeoJSON document of a file, or of WKT given in its place.

    Args:
        source: WKT, or the path of a GeoJSON, WKT, GeoPackage, shapefile or FlatGeobuf file.

    Raises:
        AoiOutsideScene: it cannot be read, or holds no area.
        LibraryAbsent: what reads such a file is not installed.
    """
    try:
        if _WKT.match(source):
            return _from_wkt(source)
        path = Path(source).expanduser()
        if path.suffix.lower() in _VECTORS:
            return _from_layer(path)
        text = path.read_text(encoding="utf-8-sig")
        if _WKT.match(text):
            return _from_wkt(text)
        document = json.loads(text)
    except (OSError, ValueError, RecursionError, ShapelyError, ProjError) as error:
        raise AoiOutsideScene(
            f"{source[:200]} cannot be read as an area of interest: {error}. It takes GeoJSON, "
            "WKT, GeoPackage, shapefile or FlatGeobuf."
        ) from error
    if not isinstance(document, dict):
        raise AoiOutsideScene(
            f"{source} holds {json.dumps(document)[:60]}, which is no area. Leave --aoi out for "
            "the whole scene."
        )
    return document


def read_parted(path: Path, by: str) -> dict[str, dict[str, Any]]:
    """A file's features, told apart by a property: a GeoJSON document of each value, as text.

    Features without the property are left out.

    Raises:
        AoiOutsideScene: it cannot be read, or is no collection of features with properties.
    """
    document = {} if path.suffix.lower() in _VECTORS else read_area(str(path))
    if "features" not in document:
        raise AoiOutsideScene(
            f"{path} holds no features with properties as GeoJSON has them, to tell apart by "
            f"{by!r}: convert it, e.g. ogr2ogr {path.stem}.geojson {path.name}."
        )
    found: dict[str, list[Any]] = {}
    for feature in document["features"]:
        value = (feature.get("properties") or {}).get(by)
        if value is not None:
            found.setdefault(str(value), []).append(feature)
    return {name: {**document, "features": features} for name, features in sorted(found.items())}


def _from_wkt(text: str) -> dict[str, Any]:
    match = _WKT.match(text)
    number = match[1] if match else None
    geometry = shapely.from_wkt(text[text.index(";") + 1 :] if number else text)
    return _document(geometry, f"EPSG:{number}" if number else None)


def _from_layer(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise OSError("there is no such file")
    # GDAL's vector side is as large as all of its raster side, and few areas need it.
    need("pyogrio", "vectors", f"Reading {path.name}, which is no GeoJSON,")
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        return _from_polygons(path, pyogrio)
    except (DataLayerError, DataSourceError) as error:
        raise OSError(error) from error


def _from_polygons(path: Path, pyogrio: Any) -> dict[str, Any]:
    layers = [name for name, kind in pyogrio.list_layers(path) if kind and "Polygon" in kind]
    if len(layers) != 1:
        which = f"layers with polygons: {', '.join(layers)}" if layers else "no layer with polygons"
        raise ValueError(f"it has {which}; save the one you mean by itself")
    meta, _, geometries, _ = pyogrio.raw.read(path, layer=layers[0], columns=[])
    known = [shapely.from_wkb(wkb) for wkb in geometries if wkb is not None]
    area = shapely.union_all([shapely.make_valid(shapely.force_2d(part)) for part in known])
    return _document(area, meta["crs"])


def _document(area: Any, crs: str | None) -> dict[str, Any]:
    """An area as GeoJSON: in its own CRS where that has an EPSG code, else in degrees."""
    document = dict(mapping(area))
    if crs is None:
        return document
    known = pyproj.CRS.from_user_input(crs)
    if code := known.to_epsg(min_confidence=100):
        return {**document, "crs": {"type": "name", "properties": {"name": f"EPSG:{code}"}}}
    there = pyproj.Transformer.from_crs(known, "OGC:CRS84", always_xy=True)
    longest = max(np.ptp(shapely.get_coordinates(area), axis=0), default=0) or 1
    fine = shapely.segmentize(area, longest / _STEPS)
    moved = shapely.transform(fine, lambda at: np.stack(there.transform(*at.T), axis=1))
    return dict(mapping(moved))
