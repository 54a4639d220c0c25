"""Outlines of regions of cells, as closed rings along the cells' edges. Pure.

An outline is known by its corners alone: along each row of the grid's lines, every second pair of
neighbouring corners is joined by an edge, and along each column too. So corners may be found block
by block and joined later, with nothing cut at the blocks' borders.

Regions are 4-connected: cells that touch at a corner only are two regions, whose outlines touch
there, so that every outline is a valid polygon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.columns import Columns

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Corners(Columns):
    """Where outlines turn: one entry (n,) each, two where two outlines touch.

    Attributes:
        row, col: the corner, in lines of the grid: cell (r, c) lies between lines r and r + 1.
        region: the number of the region that is outlined.
        right, down: whether the edges from here lead right (else left) and down (else up).
        head: whether an outline, followed with its region on the right hand, leaves here along
            its row; it leaves the other corners along their column.
    """

    row: Integers
    col: Integers
    region: Integers
    right: Flags
    down: Flags
    head: Flags

    @classmethod
    def of(cls, regions: Integers, row: int, col: int) -> Self:
        """The corners among some cells.

        Args:
            regions: (h + 1, w + 1) number of the region that each cell is of, 0 where none, and
                cells on both sides of an edge that are of regions are of the same one, or will be
                said to be.
            row: of the line between the first and second rows of cells.
            col: of the line between the first and second columns.
        """
        quarters = regions[:-1, :-1], regions[:-1, 1:], regions[1:, :-1], regions[1:, 1:]
        inside = [quarter > 0 for quarter in quarters]
        odd = inside[0] ^ inside[1] ^ inside[2] ^ inside[3]
        crossed = (inside[0] & inside[3] & ~inside[1] & ~inside[2]) | (
            inside[1] & inside[2] & ~inside[0] & ~inside[3]
        )
        turns, crossings = np.flatnonzero(odd), np.flatnonzero(crossed)
        # Where two outlines touch, one takes the edge to the left, the other that to the right.
        at = np.concatenate([turns, crossings, crossings])
        left_up, right_up, left_down, right_down = (quarter.ravel()[at] for quarter in quarters)
        a, b, c, d = (quarter > 0 for quarter in (left_up, right_up, left_down, right_down))
        number = np.arange(len(at))
        simple, second = number < len(turns), number >= len(turns) + len(crossings)
        right = np.where(simple, b != d, second)
        falling = a & d  # of crossings: the regions lie left above and right below
        down = np.where(simple, c != d, right == falling)
        all_four = np.maximum.reduce([left_up, right_up, left_down, right_down])
        beside = np.where(right, right_up + right_down, left_up + left_down)
        region = np.where(simple, all_four, beside).astype(np.int64)
        rows, cols = np.divmod(at, regions.shape[1] - 1)
        head = np.where(right, d, a)
        return cls(rows + row, cols + col, region, right, down, head)


class Rings(NamedTuple):
    """Closed rings, each as its corners in order, the first one not repeated.

    Followed with the region on the right hand: outer ones clockwise as rows grow downwards.

    Attributes:
        row, col: (m,) corners, ring after ring.
        start: (k,) position of each ring's first corner.
        region: (k,) number of the region that it bounds.
        hole: (k,) whether it bounds the region from within.
    """

    row: Integers
    col: Integers
    start: Integers
    region: Integers
    hole: Flags


def rings_of(corners: Corners) -> Rings:
    """The rings through all corners of some regions, by their first corners, row by row.

    Args:
        corners: all that these regions have, in any order.
    """
    count = len(corners.row)
    if not count:
        nothing = np.empty(0, dtype=np.int64)
        return Rings(nothing, nothing, nothing, nothing, np.empty(0, dtype=bool))
    along_row = np.lexsort((corners.right, corners.col, corners.row))
    down = corners.down ^ _touches_itself(corners, along_row)
    along_col = np.lexsort((down, corners.row, corners.col))
    across, along = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for order, partner in ((along_row, across), (along_col, along)):
        # Neighbours in order are the two ends of an edge.
        partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    following = along[across].tolist()
    heads = along_row[corners.head[along_row]]
    visited, start, seen = list[int](), list[int](), bytearray(count)
    for first in heads.tolist():
        if seen[first]:
            continue
        start.append(len(visited))
        at = first
        while not seen[at]:
            seen[at] = 1
            visited.append(at)
            at = following[at]
    leaving = np.array(visited, dtype=np.int64)
    path = np.stack([leaving, across[leaving]], axis=1).ravel()
    row, col = corners.row[path], corners.col[path]
    starts = np.array(start, dtype=np.int64)
    # The shoelace formula, of edges along rows: those along columns enclose nothing.
    swept = np.add.reduceat(row[0::2] * (col[1::2] - col[0::2]), starts)
    return Rings(row, col, 2 * starts, corners.region[leaving[starts]], swept > 0)


def _touches_itself(corners: Corners, along_row: Integers) -> Flags:
    """Corners where a region touches itself: what lies between is a hole, or two.

    There rings keep to the hole's cell, not to the region's, so that none crosses itself.
    """
    places = np.stack([corners.row, corners.col, corners.region])[:, along_row]
    same = (places[:, 1:] == places[:, :-1]).all(axis=0)
    touches = np.zeros(len(along_row), dtype=bool)
    touches[along_row[1:][same]] = touches[along_row[:-1][same]] = True
    return touches
