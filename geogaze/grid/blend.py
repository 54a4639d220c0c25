"""Blending the maps of overlapping tiles on the lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cell_weights(cells: int) -> NDArray[np.float64]:
    """Weights (cells, cells) of a tile's cells: a pyramid, positive everywhere.

    Borders weigh least, because there the network saw padding in place of surroundings, but they
    weigh something, because at the scene's edge nothing else covers them.
    """
    ramp = np.minimum(np.arange(1, cells + 1), np.arange(cells, 0, -1)).astype(np.float64)
    return np.outer(ramp, ramp)


class Mosaic:
    """Weighted mean of maps laid over (rows, cols) cells.

    Args:
        rows: cells down.
        cols: cells across.
        cells: side of a map in cells.
        layers: how many maps there are of each tile, side by side; none for one alone.
    """

    def __init__(self, rows: int, cols: int, cells: int, layers: tuple[int, ...] = ()) -> None:
        self._sum = np.zeros((*layers, rows, cols))
        self._weight = np.zeros((rows, cols))
        self._weights = cell_weights(cells)

    def add(self, values: NDArray[np.float32], row: int, col: int) -> None:
        """Lay maps (…, cells, cells) with their first cell at (row, col), cut at all borders."""
        top, left = max(0, -row), max(0, -col)
        height = min(values.shape[-2], self._weight.shape[0] - row)
        width = min(values.shape[-1], self._weight.shape[1] - col)
        weight = self._weights[top:height, left:width]
        here = np.s_[row + top : row + height, col + left : col + width]
        self._sum[..., *here] += values[..., top:height, left:width] * weight
        self._weight[here] += weight

    def mean(self) -> NDArray[np.float32]:
        """The blended field (…, rows, cols); NaN where no map was laid."""
        with np.errstate(invalid="ignore"):
            return (self._sum / self._weight).astype(np.float32)
