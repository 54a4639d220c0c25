"""What tile matrix sets and tilesets must be like (OGC 17-083r4, OGC 20-057), restated."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_TEXT = {"type": "string"}
_URI = {"type": "string", "format": "uri"}
_NUMBER = {"type": "number", "exclusiveMinimum": 0}
_COUNT = {"type": "integer", "minimum": 1}
_POINT = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def _object(wanted: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": wanted.split(), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


_LINKS = _list(
    _object("href rel", href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT, templated={"const": True})
)
_BOX = _object("lowerLeft upperRight", lowerLeft=_POINT, upperRight=_POINT, crs=_URI)
_MATRIX = _object(
    "id scaleDenominator cellSize pointOfOrigin tileWidth tileHeight matrixWidth matrixHeight",
    id=_TEXT,
    scaleDenominator=_NUMBER,
    cellSize=_NUMBER,
    cornerOfOrigin={"enum": ["topLeft", "bottomLeft"]},
    pointOfOrigin=_POINT,
    tileWidth=_COUNT,
    tileHeight=_COUNT,
    matrixWidth=_COUNT,
    matrixHeight=_COUNT,
)
_TILESET: dict[str, Any] = _object(
    "dataType crs links",
    title=_TEXT,
    dataType={"enum": ["map", "vector", "coverage"]},
    crs=_URI,
    tileMatrixSetURI=_URI,
    mediaTypes=_list(_TEXT),
    layers=_list(_object("id dataType", id=_TEXT, title=_TEXT, boundingBox=_BOX)),
    boundingBox=_BOX,
    links=_LINKS,
)
_DOCUMENTS = {
    "tileMatrixSet": _object(
        "crs tileMatrices",
        id=_TEXT,
        title=_TEXT,
        uri=_URI,
        crs=_URI,
        orderedAxes={**_list(_TEXT), "minItems": 2},
        wellKnownScaleSet=_URI,
        tileMatrices=_list(_MATRIX),
    ),
    "tileMatrixSets": _object(
        "tileMatrixSets",
        tileMatrixSets=_list(_object("id links", id=_TEXT, uri=_URI, links=_LINKS)),
    ),
    "tileset": _TILESET,
    "tilesets": _object("tilesets", tilesets=_list(_TILESET), links=_LINKS),
}


def check(document: Any, kind: str) -> None:
    """Validate a document of the standards, such as a ``tileset``.

    Raises:
        jsonschema.ValidationError: it is none.
    """
    Draft202012Validator(_DOCUMENTS[kind], format_checker=FormatChecker()).validate(document)
