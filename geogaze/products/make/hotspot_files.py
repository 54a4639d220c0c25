"""The files of hotspots: GeoPackage with its style inside, and GeoParquet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geogaze.models.sureness import Sureness, sureness
from geogaze.products.columns import HOTSPOT
from geogaze.products.facts import JobFacts
from geogaze.products.make.geopackage import GeoPackageWriter, Layer
from geogaze.products.make.geoparquet import geo
from geogaze.products.make.hotspots import Hotspots, job_hotspots
from geogaze.products.make.inputs import JobInputs
from geogaze.products.make.parquet import KINDS, Column, Kind, ParquetWriter, Values, with_lengths
from geogaze.products.outlined import by_class, layer_colours

_SQL = {Kind.TEXT: "TEXT", Kind.INT32: "INTEGER", Kind.FLOAT: "REAL", Kind.DOUBLE: "REAL"}
_GROUP = 2**16  # most in a row group
_BOX = ("xmin", "ymin", "xmax", "ymax")

_CLASS = list(HOTSPOT).index("class")


class Names(NamedTuple):
    """Names of layers and, for those that are ``top``, of classes; what figures of classes are."""

    layers: Sequence[str]
    classes: Sequence[str]
    said: Sureness

    @property
    def fields(self) -> dict[str, Kind]:
        """What is told of a hotspot, besides its outline."""
        return {name.format(self.said.name): KINDS[kind] for name, kind in HOTSPOT.items()}


def _names(job: JobFacts) -> Names:
    return Names(job.layers, job.model.classes, sureness(job.model.rule))


def make_geopackage(inputs: JobInputs, target: Path) -> None:
    """The product ``hotspots``."""
    job = inputs.job
    write_geopackage(job_hotspots(inputs), _names(job), target, job.grid.crs_wkt, job.place.code)


def make_geoparquet(inputs: JobInputs, target: Path) -> None:
    """The product ``hotspots-parquet``."""
    job = inputs.job
    write_geoparquet(job_hotspots(inputs), _names(job), target, job.grid.crs_wkt)


def write_geopackage(
    hotspots: Iterable[Hotspots], names: Names, target: Path, crs_wkt: str, code: str | None
) -> None:
    """Write the layer ``hotspots``.

    Args:
        hotspots: all there are.
        names: of layers and classes.
        target: the file; it must not exist.
        crs_wkt: of the outlines.
        code: of that CRS, if it has one.
    """
    columns = {name: _SQL[kind] for name, kind in names.fields.items()}
    layer = Layer("hotspots", "Hotspots of heat", columns)
    shown: dict[str, None] = {}
    with GeoPackageWriter(target, layer, crs_wkt, code) as file:
        for some in hotspots:
            rows = list(rows_of(some, names))
            shown |= dict.fromkeys(row[_CLASS] for row in rows)
            file.add(some.outline, rows)
        file.draw_as(by_class("class", layer_colours(tuple(shown), tuple(names.classes))))


def write_geoparquet(
    hotspots: Iterable[Hotspots], names: Names, target: Path, crs_wkt: str
) -> None:
    """Write GeoParquet 1.1 with a column of boxes.

    Args:
        hotspots: all there are.
        names: of layers and classes.
        target: the file.
        crs_wkt: of the outlines.
    """
    columns = [
        Column("geometry", Kind.BYTES),
        *(Column(axis, Kind.DOUBLE, within="bbox") for axis in _BOX),
        *(Column(name, kind, gaps=_has_gaps(name)) for name, kind in names.fields.items()),
    ]
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    with ParquetWriter(target, columns) as file:
        for some in _grouped(hotspots):
            boxes = shapely.bounds(some.outline)
            low = np.minimum(low, boxes[:, :2].min(axis=0))
            high = np.maximum(high, boxes[:, 2:].max(axis=0))
            file.add(len(some), _values(some, names, boxes))
        bbox = [*low.tolist(), *high.tolist()] if np.isfinite(low).all() else None
        covering = {"bbox": {axis: ["bbox", axis] for axis in _BOX}}
        file.say({"geo": json.dumps(geo(crs_wkt, bbox, covering))})


def _has_gaps(name: str) -> bool:
    """Whether a figure is not known of all."""
    return name.startswith("tile_") or name in {"longitude", "latitude"}


def columns_of(some: Hotspots, names: Names) -> dict[str, list[Any] | NDArray[Any]]:
    """The columns of :attr:`Names.fields`: lists of texts, arrays of figures, NaN if not known."""
    layers = [names.layers[i] for i in some.layer.tolist()]
    best = some.best.tolist()
    places = zip(layers, some.row.tolist(), some.col.tolist(), strict=True)
    return {
        "id": [f"{layer}-{row}-{col}" for layer, row, col in places],
        "class": [
            names.classes[i] if i >= 0 else layer for i, layer in zip(best, layers, strict=True)
        ],
        "area_m2": some.area,
        "cells": some.cells,
        "peak": some.peak,
        "mean": some.mean,
        "sum": some.total,
        "threshold": some.threshold,
        f"tile_{names.said.name}": some.probability,
        "longitude": some.lon,
        "latitude": some.lat,
        "row": some.row,
        "col": some.col,
    }


def rows_of(some: Hotspots, names: Names) -> Iterator[tuple[Any, ...]]:
    """The values of :attr:`Names.fields`, row by row; None where not known."""
    return zip(*(_listed(values) for values in columns_of(some, names).values()), strict=True)


def _listed(values: list[Any] | NDArray[Any]) -> list[Any]:
    if isinstance(values, list):
        return values
    listed: list[Any] = values.tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if math.isnan(value) else value for value in listed]
    return listed


def _values(some: Hotspots, names: Names, boxes: NDArray[np.float64]) -> dict[str, Values]:
    """A row group's values."""
    wkb = shapely.to_wkb(some.outline, byte_order=1)
    values = {"geometry": Values(b"".join(with_lengths(list(wkb))))}
    for axis, name in enumerate(_BOX):
        values[f"bbox.{name}"] = Values(np.ascontiguousarray(boxes[:, axis]))
    dtypes = {Kind.INT32: np.int32, Kind.FLOAT: np.float32, Kind.DOUBLE: np.float64}
    kinds = names.fields
    for name, column in columns_of(some, names).items():
        if isinstance(column, list):
            values[name] = Values(b"".join(with_lengths([text.encode() for text in column])))
            continue
        there = ~np.isnan(column) if _has_gaps(name) else None
        known = column if there is None else column[there]
        values[name] = Values(known.astype(dtypes[kinds[name]]), there)
    return values


def _grouped(hotspots: Iterable[Hotspots]) -> Iterator[Hotspots]:
    """The same in batches for row groups: small ones together, large ones in pieces."""
    waiting: list[Hotspots] = []
    for some in hotspots:
        waiting.append(some)
        while sum(map(len, waiting)) >= _GROUP:
            every = Hotspots.joined(waiting)
            yield every.only(np.arange(_GROUP))
            waiting = [every.only(np.arange(_GROUP, len(every)))]
    if sum(map(len, waiting)):
        yield Hotspots.joined(waiting)
