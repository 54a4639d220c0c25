"""What OGC API – Processes Part 1, version 1.0, asks of documents, restated from the standard.

The standard writes its schemas in the dialect of OpenAPI 3.0, whose closest JSON Schema is draft 4.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft4Validator, FormatChecker

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(wanted: str = "", /, **properties: Any) -> dict[str, Any]:
    required = {"required": wanted.split()} if wanted else {}
    return {"type": "object", "properties": properties, **required}


_MOMENT = {"type": "string", "format": "date-time"}
_DESCRIBED = {
    "title": _TEXT,
    "description": _TEXT,
    "keywords": _list(_TEXT),
    "metadata": _list(_object(title=_TEXT, role=_TEXT, href=_TEXT)),
}

# A value's schema: these words and no others, among them none of JSON Schema's newer ones.
_SCHEMA = {
    **_object(
        **dict.fromkeys(("title", "description", "format", "pattern"), _TEXT),
        **dict.fromkeys(("contentMediaType", "contentEncoding", "contentSchema"), _TEXT),
        **dict.fromkeys(("multipleOf", "maximum", "minimum"), _NUMBER),
        **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "uniqueItems"), _FLAG),
        **dict.fromkeys(("nullable", "readOnly", "writeOnly", "deprecated"), _FLAG),
        **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems"), _COUNT),
        **dict.fromkeys(("maxProperties", "minProperties"), _COUNT),
        **dict.fromkeys(("allOf", "oneOf", "anyOf"), _list(_ref("schema"))),
        **dict.fromkeys(("not", "items"), _ref("schema")),
        type={"enum": ["array", "boolean", "integer", "number", "object", "string"]},
        required={**_list(_TEXT), "minItems": 1, "uniqueItems": True},
        enum={"type": "array", "minItems": 1},
        properties={"type": "object", "additionalProperties": _ref("schema")},
        additionalProperties={"oneOf": [_ref("schema"), _FLAG]},
        default={},
        example={},
    ),
    "additionalProperties": False,
}
_SUMMARY = {
    **_DESCRIBED,
    "id": _TEXT,
    "version": _TEXT,
    "jobControlOptions": _list({"enum": ["sync-execute", "async-execute", "dismiss"]}),
    "outputTransmission": _list({"enum": ["value", "reference"]}),
    "links": _list(_ref("link")),
}
_OCCURS = {"oneOf": [{"type": "integer"}, {"enum": ["unbounded"]}]}

_DEFINITIONS: dict[str, Any] = {
    "link": _object("href", href=_TEXT, rel=_TEXT, type=_TEXT, hreflang=_TEXT, title=_TEXT),
    "schema": _SCHEMA,
    "processSummary": _object("id version", **_SUMMARY),
    "input": _object(
        "schema",
        **_DESCRIBED,
        minOccurs={"type": "integer"},
        maxOccurs=_OCCURS,
        schema=_ref("schema"),
    ),
    "output": _object("schema", **_DESCRIBED, schema=_ref("schema")),
    "landingPage": _object("links", title=_TEXT, description=_TEXT, links=_list(_ref("link"))),
    "confClasses": _object("conformsTo", conformsTo=_list(_TEXT)),
    "processList": _object(
        "processes links", processes=_list(_ref("processSummary")), links=_list(_ref("link"))
    ),
    "process": _object(
        "id version",
        **_SUMMARY,
        inputs={"type": "object", "additionalProperties": _ref("input")},
        outputs={"type": "object", "additionalProperties": _ref("output")},
    ),
    "statusInfo": _object(
        "jobID status type",
        processID=_TEXT,
        type={"enum": ["process"]},
        jobID=_TEXT,
        status={"enum": ["accepted", "running", "successful", "failed", "dismissed"]},
        message=_TEXT,
        **dict.fromkeys(("created", "started", "finished", "updated"), _MOMENT),
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        links=_list(_ref("link")),
    ),
    "jobList": _object("jobs links", jobs=_list(_ref("statusInfo")), links=_list(_ref("link"))),
    # A value as such, one that is qualified, or a link. Ours are links.
    "results": {
        "type": "object",
        "additionalProperties": {
            "oneOf": [
                {"type": ["string", "number", "boolean", "array"]},
                _object("value", value={}, mediaType=_TEXT, encoding=_TEXT),
                _ref("link"),
            ]
        },
    },
    "exception": _object(
        "type", type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, instance=_TEXT
    ),
}


def check(document: Any, kind: str) -> None:
    """Validate a document of the standard, such as a ``statusInfo``.

    Raises:
        jsonschema.ValidationError: it is none.
    """
    schema = {**_ref(kind), "definitions": _DEFINITIONS}
    Draft4Validator(schema, format_checker=FormatChecker()).validate(document)
