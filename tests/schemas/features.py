"""What OGC API – Features Part 1, version 1.0, asks of documents, restated from the standard."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBERS = {"type": "array", "items": {"type": "number"}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _list(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


def _object(wanted: str, /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": wanted.split()}


_LINKS = _list(_ref("link"), 1)
_RING = _list({**_NUMBERS, "minItems": 2, "maxItems": 2}, 4)
_POLYGON = _object("type coordinates", type={"enum": ["Polygon"]}, coordinates=_list(_RING, 1))
_SEVERAL = _object(
    "type coordinates", type={"enum": ["MultiPolygon"]}, coordinates=_list(_list(_RING, 1), 1)
)

DEFINITIONS: dict[str, Any] = {
    # rel and type are what its requirements add to the schema of a link
    "link": _object("href rel type", href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT),
    "landingPage": _object("links", title=_TEXT, description=_TEXT, links=_LINKS),
    "confClasses": _object("conformsTo", conformsTo=_list(_TEXT)),
    "collection": _object(
        "id links",
        id=_TEXT,
        title=_TEXT,
        itemType={"enum": ["feature"]},
        crs=_list(_TEXT),
        storageCrs=_TEXT,
        extent=_object(
            "spatial",
            spatial=_object("bbox", bbox=_list({**_NUMBERS, "minItems": 4, "maxItems": 4}, 1)),
        ),
        links=_LINKS,
    ),
    "collections": _object(
        "links collections", links=_LINKS, collections=_list(_ref("collection"))
    ),
    "feature": _object(
        "type geometry properties",
        type={"enum": ["Feature"]},
        id={"type": ["integer", "string"]},
        geometry={"oneOf": [{"type": "null"}, _POLYGON, _SEVERAL]},
        properties={"type": "object"},
        links=_LINKS,
    ),
    "featureCollection": _object(
        "type features",
        type={"enum": ["FeatureCollection"]},
        features=_list(_ref("feature")),
        links=_LINKS,
        numberMatched=_COUNT,
        numberReturned=_COUNT,
    ),
    "exception": _object("type", type=_TEXT, title=_TEXT, status=_COUNT, detail=_TEXT),
}
