"""Areas of interest from a user's own files: GeoJSON, WKT, GeoPackage, shapefile, FlatGeobuf.

For the command line alone: of what strangers name, a server reads GeoJSON and GeoPackages, within
limits (:mod:`geogaze.scene.polygons`).
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
from geogaze.scene.geopackages import outlines_of
from geogaze.scene.polygons import collection

_GEOPACKAGE = ".gpkg"
_VECTORS = {_GEOPACKAGE, ".shp", ".fgb"}
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
        if path.suffix.lower() == _GEOPACKAGE:
            return _from_geopackage(path)
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
    return parted(read_features(path, by), by, path.name)


def read_features(path: Path, by: str) -> dict[str, Any]:
    """A GeoJSON document of a file, whose features have a property.

    Raises:
        AoiOutsideScene: it cannot be read, or its format has no properties here.
    """
    suffix = path.suffix.lower()
    if suffix == _GEOPACKAGE:
        try:
            return _from_geopackage(path, by)
        except (OSError, ValueError, ProjError) as error:
            raise AoiOutsideScene(f"{path} cannot be read: {error}.") from error
    return {} if suffix in _VECTORS else read_area(str(path))


def parted(document: dict[str, Any], by: str, name: str) -> dict[str, dict[str, Any]]:
    """A document's features, told apart by a property: a GeoJSON document of each value, as text.

    Raises:
        AoiOutsideScene: it is no collection of features; says so of the file's ``name``.
    """
    if not isinstance(document.get("features"), list):
        raise AoiOutsideScene(
            f"{name} holds no features with properties as GeoJSON and GeoPackages have them, to "
            f"tell apart by {by!r}: convert it, e.g. ogr2ogr {Path(name).stem}.geojson {name}."
        )
    found: dict[str, list[Any]] = {}
    for feature in document["features"]:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        value = properties.get(by) if isinstance(properties, dict) else None
        if value is not None:
            found.setdefault(str(value), []).append(feature)
    return {value: {**document, "features": features} for value, features in sorted(found.items())}


def _from_wkt(text: str) -> dict[str, Any]:
    match = _WKT.match(text)
    number = match[1] if match else None
    geometry = shapely.from_wkt(text[text.index(";") + 1 :] if number else text)
    return _document(geometry, f"EPSG:{number}" if number else None)


def _from_geopackage(path: Path, by: str | None = None) -> dict[str, Any]:
    if not path.is_file():
        raise OSError("there is no such file")
    found = outlines_of(path, by)
    code, geometries = found.code, found.geometries
    if code is None and found.wkt is not None:
        code, geometries = _coded(found.wkt, geometries)
    return collection(geometries, found.values, by, code)


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
    if crs is None:
        return dict(mapping(area))
    code, (moved,) = _coded(crs, [area])
    named = {"crs": {"type": "name", "properties": {"name": code}}} if code else {}
    return {**mapping(moved), **named}


def _coded(crs: str, areas: list[Any]) -> tuple[str | None, list[Any]]:
    """The EPSG code of a CRS, and areas as they are; without one None, and the areas in degrees."""
    known = pyproj.CRS.from_user_input(crs)
    if code := known.to_epsg(min_confidence=100):
        return f"EPSG:{code}", areas
    there = pyproj.Transformer.from_crs(known, "OGC:CRS84", always_xy=True)
    longest = np.ptp(shapely.get_coordinates(areas), axis=0).max(initial=0) or 1
    fine = shapely.segmentize(areas, longest / _STEPS)
    moved = [
        shapely.transform(one, lambda at: np.stack(there.transform(*at.T), axis=1)) for one in fine
    ]
    return None, moved
