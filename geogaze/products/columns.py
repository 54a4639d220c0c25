"""Columns of a job's tables by name, and what type of values each holds. Pure.

Who writes a table and who tells of it, in the Item's words of STAC's ``table`` extension, have them
from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from geogaze.models.sureness import Sureness
from geogaze.products.facts import TOP

Values = Literal["int32", "float", "double", "string", "binary", "struct"]
"""Types as Parquet's tools call them."""

HOTSPOT: Mapping[str, Values] = {
    "id": "string",
    "class": "string",
    "area_m2": "double",
    "cells": "int32",
    "peak": "float",
    "mean": "float",
    "sum": "double",
    "threshold": "float",
    "tile_{}": "float",
    "longitude": "double",
    "latitude": "double",
    "row": "int32",
    "col": "int32",
}
"""What is told of a hotspot, besides its outline; ``{}`` is what figures of classes are."""


def tile_columns(layers: Sequence[str], said: Sureness, *, nowhere: bool) -> dict[str, Values]:
    """Columns of ``tiles.parquet``.

    Args:
        layers: of the job.
        said: what figures of classes are.
        nowhere: whether tokens on no place give something to scores.
    """
    each = () if tuple(layers) == (TOP,) else layers
    return {
        "row": "int32",
        "col": "int32",
        "geometry": "binary",
        "valid_fraction": "float",
        "top_class": "string",
        f"top_{said.name}": "float",
        **{f"{said.column}_{layer}": "float" for layer in each},
        **{f"nowhere_{layer}": "float" for layer in (layers if nowhere else ())},
    }


def hotspot_columns(said: Sureness) -> dict[str, Values]:
    """Columns of ``hotspots.parquet``."""
    told = {name.format(said.name): kind for name, kind in HOTSPOT.items()}
    return {"geometry": "binary", "bbox": "struct", **told}


def described(columns: Mapping[str, Values]) -> dict[str, Any]:
    """Columns as STAC's ``table`` extension tells of them."""
    return {
        "table:columns": [{"name": name, "type": kind} for name, kind in columns.items()],
        "table:primary_geometry": "geometry",
    }
