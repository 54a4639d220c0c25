"""The table of tiles as GeoPackage, which every GIS opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geogaze.models.sureness import sureness
from geogaze.products.facts import TOP
from geogaze.products.make.geopackage import GeoPackageWriter, Layer
from geogaze.products.make.inputs import JobInputs
from geogaze.products.make.tiles import footprints
from geogaze.products.outlined import by_class, layer_colours
from geogaze.products.tiles import TileTable

_AT_ONCE = 2**14  # tiles
_MOST_LAYERS = 900  # with figures, up to two of each; SQLite has room for 2,000 columns


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``tiles-gpkg``: the columns of the table of tiles, each tile as its outline."""
    job, classes = inputs.job, inputs.job.model.classes
    said = sureness(job.model.rule)
    names = () if job.layers == (TOP,) else class_columns(job.layers, said.column)
    beside = class_columns(job.layers, "nowhere") if inputs.tiles.told_nowhere else ()
    columns = {
        "row": "INTEGER",
        "col": "INTEGER",
        "valid_fraction": "REAL",
        "top_class": "TEXT",
        f"top_{said.name}": "REAL",
        **dict.fromkeys((*names, *beside), "REAL"),
    }
    best = tuple(name for name, wins in zip(classes, inputs.tally.wins, strict=True) if wins)
    style = by_class("top_class", layer_colours(best, classes))
    layer = Layer("tiles", "Tiles and their best classes", columns)
    with GeoPackageWriter(target, layer, job.grid.crs_wkt, job.place.code) as file:
        for box in inputs.tiles.slabs(_AT_ONCE):
            table = inputs.tiles.read(box)
            outlines = shapely.polygons(footprints(job, table))
            file.add(outlines, _rows(table, classes, len(names), len(beside)))
            inputs.pulse(0)
        file.draw_as(style)


def class_columns(layers: tuple[str, ...], figure: str) -> list[str]:
    """Names of the columns of a figure of each layer, of the first layers.

    To SQLite, ``Ship`` and ``ship`` are one name.
    """
    names: list[str] = []
    known: set[str] = set()
    for layer in layers[:_MOST_LAYERS]:
        name = f"{figure}_{layer}"
        while name.lower() in known:
            name += "'"
        known.add(name.lower())
        names.append(name)
    return names


def _rows(
    table: TileTable, classes: tuple[str, ...], layers: int, beside: int
) -> Iterator[tuple[Any, ...]]:
    """A row's values, None where nothing is known: probabilities of so many layers, and what lies
    on no place of so many.
    """
    nowhere = () if table.nowhere is None else table.nowhere[:beside]
    figures = (table.valid_fraction, table.top_probability, *table.probabilities[:layers], *nowhere)
    valid, sure, *each = map(_known, figures)
    best = [classes[i] if i >= 0 else None for i in table.top.tolist()]
    return zip(table.row.tolist(), table.col.tolist(), valid, best, sure, *each, strict=True)


def _known(values: NDArray[np.float32]) -> list[float | None]:
    listed: list[float | None] = values.tolist()
    for i in np.flatnonzero(np.isnan(values)).tolist():
        listed[i] = None
    return listed
