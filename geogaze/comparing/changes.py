"""Places where heat has changed, as polygons in a GeoPackage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyproj
from numpy.typing import NDArray

from geogaze.comparing.placing import Read
from geogaze.grid.lattice import Box
from geogaze.products.colormaps import DIVERGING, colour_stops
from geogaze.products.facts import Grid
from geogaze.products.make.geopackage import GeoPackageWriter, Layer
from geogaze.products.make.hotspots import HotspotFinder, Hotspots
from geogaze.products.make.inputs import Heat
from geogaze.products.make.probable import Probable
from geogaze.products.outlined import by_class

VANISHED, APPEARED = "vanished", "appeared"

_COLUMNS = {
    "id": "TEXT",
    "class": "TEXT",
    "change": "TEXT",
    "area_m2": "REAL",
    "cells": "INTEGER",
    "peak": "REAL",
    "mean": "REAL",
    "longitude": "REAL",
    "latitude": "REAL",
    "row": "INTEGER",
    "col": "INTEGER",
}


class ChangesFile:
    """``changes.gpkg``: a polygon for each place where heat has appeared or vanished.

    Args:
        target: the file; it must not exist.
        grid: the lattice of the differences.
        level: change of heat from which on a cell has changed.
    """

    def __init__(self, target: Path, grid: Grid, level: float) -> None:
        self._finder = HotspotFinder(grid.crs_wkt, grid.transform, level, lambda items: None)
        low, *_, high = colour_stops(DIVERGING)
        layer = Layer("changes", "Changes of heat", _COLUMNS)
        code = pyproj.CRS(grid.crs_wkt).to_epsg(min_confidence=100)
        named = f"EPSG:{code}" if code else None
        self._file = GeoPackageWriter(target, layer, grid.crs_wkt, named)
        self._file.draw_as(by_class("change", {VANISHED: low[1:4], APPEARED: high[1:4]}))

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def add(self, layer: str, boxes: tuple[Box, ...], difference: Read) -> dict[str, int]:
        """Find the places of a layer; how many there are of each change.

        Args:
            layer: its name.
            boxes: blocks of cells, row by row, that are read one by one.
            difference: reads a block of it, of 0..1 or negative.
        """
        found = {}
        for change, sign in ((VANISHED, -1), (APPEARED, 1)):

            def heat(box: Box, sign: int = sign) -> NDArray[np.float32]:
                return sign * difference(box)

            found[change] = 0
            for some in self._finder.of(0, Heat(boxes, "job", None, 1.0, heat, heat), _unknown):
                self._file.add(some.outline, _rows(some, layer, change))
                found[change] += len(some)
        return found


def _unknown(rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Probable:
    return Probable(np.full(len(rows), np.nan), np.full(len(rows), -1))


def _rows(some: Hotspots, layer: str, change: str) -> Iterator[tuple[Any, ...]]:
    """Values of the columns, row by row."""
    sign = 1.0 if change == APPEARED else -1.0
    figures = zip(
        some.area.tolist(),
        some.cells.tolist(),
        (sign * some.peak).tolist(),
        (sign * some.mean).tolist(),
        (None if math.isnan(lon) else lon for lon in some.lon.tolist()),
        (None if math.isnan(lat) else lat for lat in some.lat.tolist()),
        some.row.tolist(),
        some.col.tolist(),
        strict=True,
    )
    for row in figures:
        yield f"{layer}-{change}-{row[-2]}-{row[-1]}", layer, change, *row
