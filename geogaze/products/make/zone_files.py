"""Zonal figures as files: a line for each zone and class, or the zones themselves as a layer."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely

from geogaze.products.make.geopackage import GeoPackageWriter, Layer
from geogaze.products.make.zones import Figures
from geogaze.scene.zones import Zone

_FIGURES = ("area_m2", "seen_m2", "mean", "sum", "peak", "hot_m2", "hot_share")
_FIRST = ("zone", "class", *_FIGURES)
_MADE = ("fid", "geom")  # columns that a GeoPackage's table has by itself


class Zonal(NamedTuple):
    """What was found.

    Attributes:
        zones: in ``crs_wkt``.
        figures: of each layer, by its name, one for each zone.
        crs_wkt: of the layers.
        code: of that very CRS, if it has one.
    """

    zones: Sequence[Zone]
    figures: Mapping[str, Sequence[Figures]]
    crs_wkt: str
    code: str | None


def write_csv(found: Zonal, target: Path) -> None:
    """A line for each layer and zone; the zones' own columns come last."""
    rows = _lines(found)
    with target.open("w", newline="", encoding="utf-8") as file:
        names = dict.fromkeys(name for row in rows for name in row)
        lines = csv.DictWriter(file, list(names), lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)


def write_json(found: Zonal, target: Path) -> None:
    """The same as a list of objects."""
    text = json.dumps(_lines(found), indent=1, default=str)
    target.write_text(text + "\n", encoding="utf-8")


def write_geopackage(found: Zonal, target: Path) -> None:
    """The zones as a layer: their own columns, and ``<layer>_<figure>`` for each layer."""
    figures = [f"{layer}_{name}" for layer in found.figures for name in _FIGURES]
    own = _own(found.zones, taken=("zone", *_MADE, *figures))
    columns = {name: _sql([row.get(name) for row in own]) for row in own for name in row}
    columns = {"zone": "TEXT", **columns} | dict.fromkeys(figures, "REAL")
    rows = []
    for i, (zone, said) in enumerate(zip(found.zones, own, strict=True)):
        values = [value for some in found.figures.values() for value in _values(some[i])]
        row = {"zone": zone.name, **said} | dict(zip(figures, values, strict=True))
        rows.append([_kept(row.get(name)) for name in columns])
    layer = Layer("zones", "Heat in zones", columns, "MULTIPOLYGON")
    with GeoPackageWriter(target, layer, found.crs_wkt, found.code) as file:
        file.add(np.array([_polygons(zone.area) for zone in found.zones], dtype=object), rows)


FORMATS: dict[str, Callable[[Zonal, Path], None]] = {
    ".csv": write_csv,
    ".json": write_json,
    ".gpkg": write_geopackage,
}
"""How they are written, by a file's suffix."""


def _polygons(area: shapely.Geometry) -> shapely.MultiPolygon:
    """Without the lines and points that a polygon which was no valid one may leave."""
    parts = shapely.get_parts(shapely.get_parts(area))
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def _lines(found: Zonal) -> list[dict[str, Any]]:
    own = _own(found.zones, taken=_FIRST)
    return [
        dict(zip(_FIRST, (zone.name, layer, *_values(figures)), strict=True)) | said
        for layer, some in found.figures.items()
        for zone, figures, said in zip(found.zones, some, own, strict=True)
    ]


def _values(f: Figures) -> tuple[float | None, ...]:
    return (f.area, f.seen, f.mean, f.total, f.peak, f.hot, f.share)


def _own(zones: Sequence[Zone], taken: Iterable[str]) -> list[dict[str, Any]]:
    """The zones' own columns; one that is called as another, in any case, is ``own_<name>``."""
    known = {name.lower() for name in taken}
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for zone in zones for name in zone.properties):
        names[name] = name
        while names[name].lower() in known:
            names[name] = f"own_{names[name]}"
        known.add(names[name].lower())
    return [{names[name]: value for name, value in zone.properties.items()} for zone in zones]


def _sql(values: Sequence[Any]) -> str:
    """The type of a column of a GeoPackage that holds these."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, bool}:
        return "INTEGER"
    return "REAL" if kinds and kinds <= {int, bool, float} else "TEXT"


def _kept(value: Any) -> Any:
    """A value as SQLite keeps it: lists and objects as JSON, dates as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
