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
    """Weighted mean of maps laid over a lattice of (rows, cols) cells."""

    def __init__(self, rows: int, cols: int, cells: int) -> None:
        self._sum = np.zeros((rows, cols))
        self._weight = np.zeros((rows, cols))
        self._weights = cell_weights(cells)

    def add(self, values: NDArray[np.float32], row: int, col: int) -> None:
        """Lay one map (cells, cells) with its first cell at (row, col), cut to the lattice."""
        height = min(values.shape[0], self._sum.shape[0] - row)
        width = min(values.shape[1], self._sum.shape[1] - col)
        weight = self._weights[:height, :width]
        self._sum[row : row + height, col : col + width] += values[:height, :width] * weight
        self._weight[row : row + height, col : col + width] += weight

    def mean(self) -> NDArray[np.float32]:
        """The blended field (rows, cols); NaN where no map was laid."""
        with np.errstate(invalid="ignore"):
            return (self._sum / self._weight).astype(np.float32)
