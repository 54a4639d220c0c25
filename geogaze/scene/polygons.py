"""Polygons at an address, as strangers name them: GeoJSON or a GeoPackage, within limits."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import shapely
from shapely.geometry import mapping

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.scene.aoi import MALFORMED, polygons_of
from geogaze.scene.geopackages import STARTS, outlines_of
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.version import look

_SUFFIXES = frozenset({".geojson", ".gpkg"})
MOST_BYTES = 16 * 2**20

Document = dict[str, Any]


class PolygonsUnreadable(InvalidRequest):
    """What is to hold polygons cannot be read, or holds none."""

    slug = "polygons-unreadable"
    title = "The polygons cannot be read"


def named_polygons(address: str) -> bool:
    """Whether a file is one of polygons, by its name; those of scenes end otherwise."""
    return PurePosixPath(address.partition("?")[0]).suffix.lower() in _SUFFIXES


def check_polygons(address: str, policy: SourcePolicy, settings: Settings) -> None:
    """Refuse what no job takes as polygons; raises as :func:`polygons_at` does."""
    document = polygons_at(address, policy, settings)
    try:
        polygons_of(document)
    except MALFORMED as error:
        raise PolygonsUnreadable(f"{address!r} is no GeoJSON of polygons: {error}.") from error


def polygons_at(
    address: str, policy: SourcePolicy, settings: Settings, by: str | None = None
) -> Document:
    """The GeoJSON that lies at an address, or that a GeoPackage there comes to.

    Args:
        address: as the user named it.
        policy: where it may lie; polygons lie where scenes may.
        settings: how long its host may take.
        by: the property that is wanted of a GeoPackage's features.

    Raises:
        PolygonsUnreadable: it is neither, or too large.
        SceneUnreadable: the source is not allowed, missing, or its store refuses to show it.
        SceneAway: its host or store does not answer.
    """
    data = look(address, policy, settings, MOST_BYTES + 1).start
    if len(data) > MOST_BYTES:
        raise PolygonsUnreadable(
            f"{address!r} has more than {MOST_BYTES / 2**20:.0f} MiB of polygons: simplify them, "
            "or cut them to the scenes."
        )
    try:
        return _of_geopackage(data, by) if data.startswith(STARTS) else _of_json(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise PolygonsUnreadable(
            f"{address!r} cannot be read as GeoJSON or GeoPackage: {error}."
        ) from error


def collection(
    geometries: list[Any], values: list[Any], by: str | None, code: str | None
) -> Document:
    """Geometries as a GeoJSON document, each with the value of a property."""
    features = [
        {
            "type": "Feature",
            "properties": {} if by is None else {by: value},
            "geometry": dict(mapping(geometry)),
        }
        for geometry, value in zip(geometries, values, strict=True)
        if not shapely.is_empty(geometry)
    ]
    named = {"crs": {"type": "name", "properties": {"name": code}}} if code else {}
    return {"type": "FeatureCollection", **named, "features": features}


def _of_json(data: bytes) -> Document:
    document = json.loads(data.decode("utf-8-sig"))
    if not isinstance(document, dict):
        raise TypeError(f"it holds {json.dumps(document)[:60]}")
    return document


def _of_geopackage(data: bytes, by: str | None) -> Document:
    found = outlines_of(data, by)
    if found.code is None and found.wkt is not None:
        raise ValueError("its CRS has no EPSG code; save it in EPSG:4326")
    return collection(found.geometries, found.values, by, found.code)
