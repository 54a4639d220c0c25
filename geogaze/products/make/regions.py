"""Connected regions of a layer's heat at or above a level, with their outlines and figures.

Block by block of the lattice, and never cut at a block's border: what reaches the next row of
blocks stays open until that is seen. So memory is taken by one block, and by the outlines of one
row of blocks and of regions that are still open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Self

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from geogaze.grid.columns import Columns
from geogaze.grid.lattice import Box
from geogaze.grid.outlines import Corners, rings_of
from geogaze.products.make.areas import CellAreas
from geogaze.products.make.inputs import Heat, Pulse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Regions(Columns):
    """Some regions, whole, by their first cells: one entry (n,) each.

    Attributes:
        row, col: the cell of the highest heat, the first of several.
        cells: how many it has.
        area: m².
        peak, total: the highest heat, and the sum of its cells'.
        centre_row, centre_col: its centre of gravity, in lines of the lattice.
        outline: polygons whose coordinates are (col, row) in lines of the lattice.
    """

    row: Integers
    col: Integers
    cells: Integers
    area: Floats
    peak: Floats
    total: Floats
    centre_row: Floats
    centre_col: Floats
    outline: NDArray[Any]


def regions_of(heat: Heat, level: float, areas: CellAreas, pulse: Pulse) -> Iterator[Regions]:
    """All regions of cells that touch along an edge and whose heat is at least ``level``.

    Args:
        heat: the layer.
        level: above 0.
        areas: of its cells.
        pulse: called between blocks.
    """
    rows, cols = heat.shape
    sweep = _Sweep(rows, cols)
    for _, blocks in groupby(heat.boxes, key=lambda box: box[0]):
        for box in blocks:
            values = heat.window(box)
            with np.errstate(invalid="ignore"):  # NaN is below any level
                inside = (values >= level) & (values > 0)
            sweep.add(box, values, inside, areas)
            pulse(0)
        yield from sweep.closed()


@dataclass(frozen=True)
class _Parts(Columns):
    """What is known of regions, or of parts of them; cells count row by row over the lattice."""

    region: Integers
    first: Integers
    peak_at: Integers
    cells: Integers
    area: Floats
    peak: Floats
    total: Floats
    rows: Floats
    cols: Floats

    @classmethod
    def of(
        cls, labels: Integers, values: NDArray[np.float32], areas: CellAreas, box: Box, wide: int
    ) -> Self:
        """The regions of a block, by its labels from 1, in a lattice of so many columns."""
        inside = np.flatnonzero(labels)
        label, heat = labels.ravel()[inside], values.ravel()[inside].astype(np.float64)
        row, col = np.divmod(inside, labels.shape[1])
        area = areas.of(box, row, col)
        row, col = row + box[0], col + box[1]
        cell = row * wide + col
        count = np.bincount(label)[1:]
        start = np.cumsum(count) - count
        first = np.argsort(label, kind="stable")[start]
        highest = np.lexsort((-heat, label))[start]  # stable too: the first of several

        def summed(weights: Any) -> Floats:
            return np.asarray(np.bincount(label, weights)[1:], dtype=np.float64)

        return cls(
            region=np.arange(1, len(count) + 1),
            first=cell[first],
            peak_at=cell[highest],
            cells=count,
            area=summed(area),
            peak=heat[highest],
            total=summed(heat),
            rows=summed(row + 0.5),
            cols=summed(col + 0.5),
        )

    def merged(self) -> _Parts:
        """Parts of one region together, by the regions' numbers."""
        parts = self.only(np.lexsort((self.first, self.region)))
        if not len(parts):
            return parts
        start = np.flatnonzero(np.diff(parts.region, prepend=-1))
        highest = np.lexsort((parts.peak_at, -parts.peak, parts.region))[start]
        sums = {
            name: np.add.reduceat(getattr(parts, name), start)
            for name in ("cells", "area", "total", "rows", "cols")
        }
        whole = parts.only(start)
        return replace(whole, peak=parts.peak[highest], peak_at=parts.peak_at[highest], **sums)


class _Sweep:
    """A layer's rows of blocks, from above.

    Args:
        rows: of the lattice, cells.
        cols: likewise.
    """

    def __init__(self, rows: int, cols: int) -> None:
        self._rows, self._cols = rows, cols
        # Of the cells above a row of blocks, with one more to either side: regions' numbers.
        self._above = np.zeros(cols + 2, dtype=np.int64)
        self._below, self._left = np.zeros_like(self._above), self._above[:0]
        self._count = 0
        self._parts: list[_Parts] = []
        self._corners: list[Corners] = []
        self._pairs = [np.zeros((0, 2), dtype=np.int64)]

    def add(self, box: Box, values: NDArray[np.float32], inside: Flags, areas: CellAreas) -> None:
        """The next block: its heat, and which cells are of regions."""
        row0, col0, row1, col1 = box
        rows, cols = row1 - row0, col1 - col0
        # With the cells above and to the left; beyond the lattice, there is nothing.
        beyond = row1 == self._rows, col1 == self._cols
        around = np.zeros((rows + 1 + beyond[0], cols + 1 + beyond[1]), dtype=np.int64)
        around[0, : cols + 1] = self._above[col0 : col1 + 1]
        if col0:
            around[1 : rows + 1, 0] = self._left
        block = around[1 : rows + 1, 1 : cols + 1]
        count, labels = _connected(inside)
        if count:
            parts = _Parts.of(labels, values, areas, box, self._cols)
            self._parts.append(replace(parts, region=parts.region + self._count))
            np.add(labels, self._count, out=block, where=labels > 0)
            self._count += count
        self._corners.append(Corners.of(around, row0, col0))
        for one, other in ((around[0], around[1]), (around[:, 0], around[:, 1])):
            both = (one > 0) & (other > 0)
            self._pairs.append(np.stack([one[both], other[both]], axis=1))
        if row1 < self._rows:
            self._below[col0 + 1 : col1 + 1] = block[-1]
        self._left = block[:, -1].copy()

    def closed(self) -> Iterator[Regions]:
        """The regions that end in this row of blocks; those that reach its last cells stay open."""
        root = _roots(self._count, np.concatenate(self._pairs))
        below = root[self._below]
        goes_on = np.zeros(self._count + 1, dtype=bool)
        goes_on[below] = True
        goes_on[0] = False
        number = np.cumsum(goes_on, dtype=np.int64)  # of those that go on, from 1
        parts, corners = self._parts, self._corners
        self._above, self._below = np.where(goes_on[below], number[below], 0), np.zeros_like(below)
        self._count, self._pairs = int(number[-1]), self._pairs[:1]
        self._parts, self._corners = [], []
        if parts:
            known = _Parts.joined(parts)
            known = replace(known, region=root[known.region]).merged()
            outlined = Corners.joined(corners)
            outlined = replace(outlined, region=root[outlined.region])
            open_parts, open_corners = goes_on[known.region], goes_on[outlined.region]
            if open_parts.any():
                kept, turns = known.only(open_parts), outlined.only(open_corners)
                self._parts = [replace(kept, region=number[kept.region])]
                self._corners = [replace(turns, region=number[turns.region])]
            if not open_parts.all():
                yield _whole(known.only(~open_parts), outlined.only(~open_corners), self._cols)


def _connected(inside: Flags) -> tuple[int, Integers]:
    """How many regions there are in a block, and of which, from 1, each cell is; 0 of none."""
    count, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    return count - 1, np.asarray(labels, dtype=np.int64)


def _roots(count: int, pairs: Integers) -> Integers:
    """For each of some regions, from 1, the lowest number of those that are one with it."""
    root = list(range(count + 1))

    def lowest(region: int) -> int:
        while root[region] != region:
            root[region] = region = root[root[region]]
        return region

    for one, other in np.unique(pairs, axis=0).tolist():
        low, high = sorted((lowest(one), lowest(other)))
        root[high] = low
    return np.array([lowest(region) for region in range(count + 1)], dtype=np.int64)


def _whole(parts: _Parts, corners: Corners, wide: int) -> Regions:
    """Regions that are complete, by their first cells."""
    rings = rings_of(corners)
    order = np.lexsort((rings.hole, rings.region))  # outer rings before the holes in them
    at = np.repeat(np.arange(len(rings.start)), np.diff(rings.start, append=len(rings.row)))
    lines = shapely.linearrings(np.stack([rings.col, rings.row], axis=1).astype(float), indices=at)
    _, polygon = np.unique(rings.region[order], return_inverse=True)
    outline = shapely.polygons(lines[order], indices=polygon)  # by the regions' numbers, as parts
    by_place = np.argsort(parts.first)
    row, col = np.divmod(parts.peak_at, wide)
    return Regions(
        row=row,
        col=col,
        cells=parts.cells,
        area=parts.area,
        peak=parts.peak,
        total=parts.total,
        centre_row=parts.rows / parts.cells,
        centre_col=parts.cols / parts.cells,
        outline=outline,
    ).only(by_place)
