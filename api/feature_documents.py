"""Documents of OGC API – Features: collections, features, and how both are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from api.catalogue import GEOJSON, QUERYABLES_REL, SCHEMA, link
from api.features import Collection
from api.selecting import MOST
from geogaze.filtering import CLASSES, SPATIAL_CLASSES
from geogaze.gis.frames import CRS84
from geogaze.gis.selection import Feature

_SPEC = "http://www.opengis.net/spec/ogcapi-features"
CONFORMANCE = [
    *(f"{_SPEC}-1/1.0/conf/{name}" for name in ("core", "geojson", "html", "oas30")),
    f"{_SPEC}-2/1.0/conf/crs",
    *(
        f"{_SPEC}-3/1.0/conf/{name}"
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CLASSES + SPATIAL_CLASSES),
]
_FORM = {"in": "query", "required": False, "style": "form", "explode": False}
_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": {
        **_FORM,
        "name": "limit",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100},
    },
    "bbox": {**_FORM, "name": "bbox", "schema": _BOX},
    "datetime": {**_FORM, "name": "datetime", "schema": {"type": "string"}},
    **{
        name: {**_FORM, "name": name, "schema": {"type": "string", "format": "uri"}}
        for name in ("crs", "bbox-crs", "filter-crs")
    },
}
"""As the standard writes them."""


def described(one: Collection, here: str) -> dict[str, Any]:
    """A collection as clients are told of it."""
    frame, address = one.frame, f"{here}/collections/{quote(one.name)}"
    bbox = frame.bbox
    return {
        "id": one.name,
        "title": frame.layer.title,
        "itemType": "feature",
        **({"extent": {"spatial": {"bbox": [bbox], "crs": CRS84}}} if bbox else {}),
        "crs": frame.uris,
        **({"storageCrs": frame.own_uri} if frame.own_uri else {}),
        "links": [
            *itself(address),
            link("items", f"{address}/items", GEOJSON, title="its features"),
            link("items", f"{address}/items?f=html", "text/html", title="the same as a page"),
            link(QUERYABLES_REL, f"{address}/queryables", SCHEMA, title="what filters may name"),
            link(
                "enclosure",
                f"{here.removesuffix('/features')}/assets/{quote(one.made['file'])}",
                one.made["type"],
                title="all of it, as a file",
            ),
        ],
    }


def told(one: Collection, features: Sequence[Feature], uri: str) -> list[dict[str, Any]]:
    """Features as GeoJSON, in a CRS."""
    shapes = np.array([feature.geometry for feature in features], dtype=object)
    columns = tuple(one.frame.layer.columns)
    return [
        {
            "type": "Feature",
            "id": feature.number,
            "geometry": geometry,
            "properties": dict(zip(columns, feature.values, strict=True)),
        }
        for feature, geometry in zip(features, one.frame.told(shapes, uri), strict=True)
    ]


def itself(
    address: str, kind: str = "application/json", asked: list[tuple[str, str]] | None = None
) -> list[dict[str, Any]]:
    """Links of a document to itself, and to its page."""
    query = f"?{urlencode(asked)}" if asked else ""
    page = urlencode([*(asked or ()), ("f", "html")])
    return [
        link("self", f"{address}{query}", kind, title="this document"),
        link("alternate", f"{address}?{page}", "text/html", title="as a page"),
    ]


def parameters(one: Collection) -> list[dict[str, Any]]:
    """What may be asked of a collection's features besides: what their properties shall be."""
    known = one.frame.layer.queryables
    return [{"name": name, "in": "query", "schema": q.schema} for name, q in known.items()]
