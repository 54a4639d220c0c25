"""From a network's activation grid to the lattice cells of its tile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def divides(tile_size: int, stride: int, cells: int) -> bool:
    """Whether activations are lattice cells one to one."""
    return cells * stride == tile_size


def lattice_offset(tile_size: int, stride: int, cells: int, first_center: float) -> float:
    """Where cell 0 starts, in working pixels from the tile's first pixel.

    Where activations are cells one to one, each cell is centred on what its activation looks at.
    Where they are not, maps are stretched over the tile, and cells start at its border.
    """
    return first_center - (stride - 1) / 2 if divides(tile_size, stride, cells) else 0.0


def resample_matrix(tile_size: int, stride: int, cells: int) -> NDArray[np.float32]:
    """Bilinear weights (lattice cells, activations) along one axis.

    The textbook resize: activations are stretched evenly over the tile, then read at the centres
    of the lattice cells; beyond the outermost activation its value is kept. The identity where
    the grid divides the tile.
    """
    if divides(tile_size, stride, cells):
        return np.eye(cells, dtype=np.float32)
    targets = tile_size // stride
    position = (np.arange(targets) + 0.5) * stride / tile_size * cells - 0.5
    position = np.clip(position, 0, cells - 1)
    low = np.minimum(position.astype(int), max(cells - 2, 0))
    share = position - low
    matrix = np.zeros((targets, cells))
    matrix[np.arange(targets), low] += 1 - share
    matrix[np.arange(targets), np.minimum(low + 1, cells - 1)] += share
    return matrix.astype(np.float32)
