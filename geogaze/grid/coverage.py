"""How much of each lattice cell was looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.lattice import Box, Lattice

MIN_VALID = 0.5


def cell_coverage(
    mask: NDArray[np.bool_], origin: tuple[int, int], lattice: Lattice, cells: Box, scene: Box
) -> NDArray[np.float32]:
    """Share of each cell's pixels that are valid, of those that lie in the scene.

    Cells may start at half pixels; areas are exact, read off an integral image.

    Args:
        mask: valid pixels (h, w) of a window that contains the cells' part of the scene.
        origin: working row and column of the window's first pixel.
        lattice: the lattice.
        cells: lattice cells to judge.
        scene: the scene's working pixels; what lies outside counts neither way.

    Returns:
        (rows, cols), 0..1; 0 where a cell lies outside the scene.
    """
    top, left = origin
    height, width = mask.shape
    first = max(scene[0] - top, 0), max(scene[1] - left, 0)
    last = min(max(scene[2] - top, 0), height), min(max(scene[3] - left, 0), width)
    inside = np.s_[first[0] : last[0], first[1] : last[1]]
    rows = np.asarray(lattice.edges(lattice.row0 + cells[0], cells[2] - cells[0])) - top
    cols = np.asarray(lattice.edges(lattice.col0 + cells[1], cells[3] - cells[1])) - left
    rows, cols = (
        np.clip(edges, start, max(start, end))
        for edges, start, end in zip((rows, cols), first, last, strict=True)
    )
    total: NDArray[np.float64] = np.diff(rows)[:, None] * np.diff(cols)
    if mask[inside].all():
        return np.asarray(total > 0, dtype=np.float32)
    valid = _areas(mask, rows, cols)
    share = np.divide(valid, total, out=np.zeros_like(valid), where=total > 0)
    return np.asarray(share, dtype=np.float32)


def _areas(
    mask: NDArray[np.bool_], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Areas of the cells between row and column edges, in pixels."""
    integral = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    at_rows = _interpolate(integral, rows)
    corners = _interpolate(at_rows.T, cols).T
    return np.asarray(np.diff(np.diff(corners, axis=0), axis=1))


def _interpolate(
    table: NDArray[np.int64] | NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    low = np.minimum(at.astype(int), len(table) - 1)
    high = np.minimum(low + 1, len(table) - 1)
    share = (at - low)[:, None]
    return np.asarray(table[low] * (1 - share) + table[high] * share)
