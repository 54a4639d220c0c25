"""How much of each cell lies in polygons: exactly, from where their borders cross it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from geogaze.grid.lattice import Box

_SIDE = 1024  # of the blocks of cells that are looked at together
_NOTHING = 1e-9  # of a cell: less is rounding

_Places = NDArray[np.float64]
"""(n, 2): across and down, in cells."""


def blocks_under(area: shapely.Geometry, shape: tuple[int, int]) -> Iterator[Box]:
    """The blocks of cells that an area's box reaches.

    Args:
        area: in lines of the lattice (col, row); nothing is found for an empty one.
        shape: rows and columns of the lattice.
    """
    if area.is_empty:
        return
    left, top, right, bottom = area.bounds
    row0, col0 = max(0, math.floor(top)), max(0, math.floor(left))
    row1, col1 = min(shape[0], math.ceil(bottom)), min(shape[1], math.ceil(right))
    for row in range(row0, row1, _SIDE):
        for col in range(col0, col1, _SIDE):
            yield row, col, min(row + _SIDE, row1), min(col + _SIDE, col1)


def shares(area: shapely.Geometry, box: Box) -> NDArray[np.float64]:
    """The share (h, w) of each cell of a box that lies in an area, 0..1.

    The border is cut at all lines between cells. What a piece of it adds is known by itself: to its
    own cell the part on its right, to all cells further right its whole height, with the sign of
    the way that the border runs. Sums along rows are then the shares.

    Args:
        area: valid polygons in lines of the lattice (col, row).
        box: the cells.
    """
    row0, col0, row1, col1 = box
    part = area.intersection(shapely.box(col0, row0, col1, row1))
    starts, ends, signs = _edges(part)
    rows, width = row1 - row0, col1 - col0
    for axis in (0, 1):
        starts, ends, kept = _cut(starts, ends, axis)
        signs = signs[kept]
    height = (ends[:, 1] - starts[:, 1]) * signs
    across, down = ((starts + ends) / 2 - (col0, row0)).T
    col = np.clip(np.floor(across).astype(np.int64), 0, width - 1)
    row = np.clip(np.floor(down).astype(np.int64), 0, rows - 1)
    cell = row * (width + 1) + col
    left = height * (across - col)
    steps = np.bincount(cell, height - left, rows * (width + 1))
    steps += np.bincount(cell + 1, left, len(steps))
    found = np.cumsum(steps.reshape(rows, width + 1)[:, :-1], axis=1)
    found[found < _NOTHING] = 0
    return np.minimum(found, 1, out=found)


def _edges(area: shapely.Geometry) -> tuple[_Places, _Places, NDArray[np.float64]]:
    """Both ends (n, 2) of an area's edges, and their signs: +1 or -1, so that heights that lead up
    on its left side and down on its right one are positive on the left.
    """
    polygons = [one for one in shapely.get_parts(shapely.get_parts(area)) if one.area > 0]
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    places, ring = shapely.get_coordinates(rings, return_index=True)
    starts, ends = places[:-1], places[1:]
    same = ring[:-1] == ring[1:]
    starts, ends, ring = starts[same], ends[same], ring[:-1][same]
    turns = starts[:, 0] * ends[:, 1] - ends[:, 0] * starts[:, 1]
    around = np.sign(np.bincount(ring, turns, len(rings)))
    outer = np.diff(polygon, prepend=-1) > 0  # the first ring of each
    signs = np.where(outer, -around, around)
    return starts, ends, signs[ring]


def _cut(starts: _Places, ends: _Places, axis: int) -> tuple[_Places, _Places, NDArray[np.int64]]:
    """Edges cut at all whole numbers of an axis, and of which edge each piece is."""
    a, b = starts[:, axis], ends[:, axis]
    least, most = np.minimum(a, b), np.maximum(a, b)
    first = np.floor(least)
    count = np.maximum(np.ceil(most) - first, 1).astype(np.int64)
    edge = np.repeat(np.arange(len(a)), count)
    line = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    length = np.where(a == b, 1, b - a)[edge]
    at = np.array([np.clip(line + end, least[edge], most[edge]) - a[edge] for end in (0, 1)])
    begin, end = np.sort(at / length, axis=0)
    end[(a == b)[edge]] = 1
    way = (ends - starts)[edge]
    return starts[edge] + begin[:, None] * way, starts[edge] + end[:, None] * way, edge
