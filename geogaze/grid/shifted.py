"""Grids of tiles, shifted against each other, that overlapping tiles are made up of. Pure.

Tiles that overlap enough contain several grids, each of which covers the scene by itself: every
second tile of every second row, those beside them, and so on. What heat would be on each says how
much it depends on where tiles happen to lie, and no tile more is explained for it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.blend import Mosaic
from geogaze.grid.tiling import MAX_OVERLAP, step_of


def overlap_for(grids: int, cells: int) -> float | None:
    """The least overlap, in hundredths, of tiles that contain so many grids; None if there is none.

    Args:
        grids: a square number.
        cells: side of a tile in cells.
    """
    hundredths = range(math.floor(100 * MAX_OVERLAP) + 1)
    return next((n / 100 for n in hundredths if holds(grids, cells, step_of(cells, n / 100))), None)


def holds(grids: int, cells: int, step: int) -> bool:
    """Whether tiles at a step contain so many grids that each cover the scene."""
    return math.isqrt(grids) * step <= cells


class ShiftedGrids:
    """Blends maps by the grid that their tile belongs to.

    Args:
        grids: how many, a square number: each takes every ``isqrt(grids)``-th tile along rows and
            columns.
        rows: cells down.
        cols: cells across.
        cells: side of a map in cells.
        layers: how many maps there are of each tile.
    """

    def __init__(self, grids: int, rows: int, cols: int, cells: int, layers: int) -> None:
        self._apart = math.isqrt(grids)
        self._mosaics = [Mosaic(rows, cols, cells, (layers,)) for _ in range(grids)]

    def add(
        self, values: NDArray[np.float32], tile: tuple[int, int], place: tuple[int, int]
    ) -> None:
        """Lay a tile's maps (layers, cells, cells) with their first cell at a place (row, col)."""
        down, across = (index % self._apart for index in tile)
        self._mosaics[down * self._apart + across].add(values, *place)

    def spread(self, *, positive: bool) -> NDArray[np.float32]:
        """Standard deviation (layers, rows, cols) over the grids of what each blends to.

        NaN where fewer than two grids have a tile, which is so in the outermost cells.

        Args:
            positive: of the positive part of each.
        """
        count: NDArray[np.int64] | None = None
        for mosaic in self._mosaics:  # one after the other, each joined to those before (Welford)
            values = mosaic.mean().astype(np.float64)
            if count is None:
                count = np.zeros(values.shape[1:], dtype=np.int64)
                mean, squares = np.zeros(values.shape), np.zeros(values.shape)
            seen = np.isfinite(values)
            count = count + seen[0]
            value = np.where(seen, np.maximum(values, 0) if positive else values, mean)
            off = value - mean
            mean += off / np.maximum(count, 1)
            squares += off * (value - mean)
        assert count is not None
        variance = np.where(count > 1, squares / np.maximum(count, 1), np.nan)
        return np.asarray(np.sqrt(variance), dtype=np.float32)
