"""Validating STAC Items with all their extensions, offline. See README.md for the schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pystac
from pystac.validation.stac_validator import JsonSchemaSTACValidator

_BASE = "https://stac-extensions.github.io"

_CLASSES = {
    "type": "array",
    "uniqueItems": True,
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["value", "description"],
        "properties": {
            "value": {"type": "integer"},
            "description": {"type": "string"},
            "name": {"type": "string"},
            "color_hint": {"type": "string", "pattern": "^([0-9A-Fa-f]{6})$"},
        },
    },
}


_TABLE_FIELDS = {
    "table:columns": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "description": {"type": "string"},
                "type": {"type": "string"},
            },
        },
    },
    "table:primary_geometry": {"type": "string"},
    "table:row_count": {"type": "number"},
}


class _Validator(JsonSchemaSTACValidator):
    def _get_schema(self, schema_uri: str) -> dict[str, Any]:
        if schema_uri not in self.schema_cache:
            raise LookupError(f"no schema for {schema_uri} in tests/schemas")
        return self.schema_cache[schema_uri]


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    found = {}
    for path in Path(__file__).parent.glob("*.json"):
        name, version = path.stem.split("-")
        found[f"{_BASE}/{name}/{version}/schema.json"] = json.loads(path.read_text())
    old, new = (f"{_BASE}/processing/v{version}/schema.json" for version in ("1.1.0", "1.2.0"))
    found[new] = json.loads(json.dumps(found[old]).replace(old, new))
    for version in ("1.1.0", "2.0.0"):
        classification = f"{_BASE}/classification/v{version}/schema.json"
        found[classification] = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$id": classification,
            "properties": {
                "assets": {
                    "additionalProperties": {"properties": {"classification:classes": _CLASSES}}
                }
            },
            "definitions": {"fields": {"properties": {"classification:classes": _CLASSES}}},
        }
    table = f"{_BASE}/table/v1.2.0/schema.json"
    found[table] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": table,
        "properties": {"assets": {"additionalProperties": {"properties": _TABLE_FIELDS}}},
    }
    return found


def validate(item: dict[str, Any]) -> list[str]:
    """Validate an Item against the core and every extension it names.

    Returns:
        URIs of the schemas it was checked against.

    Raises:
        pystac.STACValidationError: it breaks one of them.
        LookupError: it names an extension that is not here.
    """
    validator = _Validator()
    validator.schema_cache.update(_schemas())
    return pystac.validation.validate_dict(item, validator=validator)
