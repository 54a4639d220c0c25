"""Areas that statistics are asked for, and how they come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Body
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from geogaze.gis.statistics import Statistics
from geogaze.processes.limits import check_points, check_values

_KINDS = ("Polygon", "MultiPolygon", "Feature", "FeatureCollection")
_RING = [[1.89, 51.55], [1.9, 51.55], [1.9, 51.56], [1.89, 51.56], [1.89, 51.55]]
_SCHEMA = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": list(_KINDS)},
        "coordinates": {"type": "array"},
        "geometry": {"type": "object"},
        "features": {"type": "array", "items": {"type": "object"}},
    },
    "examples": [{"type": "Polygon", "coordinates": [_RING]}],
}


def _known(document: dict[str, Any]) -> dict[str, Any]:
    kind = document.get("type")
    if kind not in _KINDS:
        raise ValueError(f"type: {str(kind)[:80]!r} is none of {', '.join(_KINDS)}")
    features = document.get("features")
    if kind == "FeatureCollection" and not (
        isinstance(features, list) and all(isinstance(one, dict) for one in features)
    ):
        raise ValueError("features: they are no list of features")
    return document


Areas = Annotated[
    dict[str, Any],
    BeforeValidator(check_values),
    AfterValidator(check_points),
    AfterValidator(_known),
    WithJsonSchema(_SCHEMA),
    Body(
        description="GeoJSON: polygons as a geometry, a feature or a collection of features, in "
        "longitude and latitude, or in the `crs` that the document names."
    ),
]


def features_of(areas: dict[str, Any]) -> list[dict[str, Any]]:
    """The features of a document; a geometry, or a single feature, is one."""
    if areas["type"] == "FeatureCollection":
        features: list[dict[str, Any]] = areas["features"]
        return features
    if areas["type"] == "Feature":
        return [areas]
    return [{"type": "Feature", "geometry": areas, "properties": {}}]


def told(areas: dict[str, Any], name: str, found: Sequence[Statistics]) -> dict[str, Any]:
    """The document as features that each say what was found there.

    Args:
        areas: the document.
        name: of the layer.
        found: by feature.
    """
    features = [
        {**feature, "properties": {**_said(feature), "statistics": {name: one}}}
        for feature, one in zip(features_of(areas), found, strict=True)
    ]
    return {**areas, "features": features} if areas["type"] == "FeatureCollection" else features[0]


def _said(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}
