"""Rectangles of items: how rows and columns of them are divided into units of work. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

Rectangle = tuple[int, int, int, int]
"""Items as half-open ranges of rows and columns: row0, col0, row1, col1."""


@dataclass(frozen=True)
class Division:
    """``rows`` × ``cols`` items, divided row by row into squares of ``side`` items a side.

    The last squares of a row or column are cut to what is left.
    """

    rows: int
    cols: int
    side: int

    @property
    def items(self) -> int:
        """Number of items."""
        return self.rows * self.cols

    @property
    def count(self) -> int:
        """Number of squares."""
        return math.ceil(self.rows / self.side) * math.ceil(self.cols / self.side)

    def rectangle(self, number: int) -> Rectangle:
        """The items of the square of this number, from 0."""
        places = divmod(number, math.ceil(self.cols / self.side))
        row, col = (place * self.side for place in places)
        return row, col, min(row + self.side, self.rows), min(col + self.side, self.cols)


def area(rectangle: Rectangle) -> int:
    """Number of items of a rectangle."""
    row0, col0, row1, col1 = rectangle
    return (row1 - row0) * (col1 - col0)


def halves(rectangle: Rectangle) -> tuple[Rectangle, Rectangle]:
    """A rectangle of at least two items, cut across its longer side."""
    row0, col0, row1, col1 = rectangle
    if row1 - row0 >= col1 - col0:
        middle = (row0 + row1) // 2
        return (row0, col0, middle, col1), (middle, col0, row1, col1)
    middle = (col0 + col1) // 2
    return (row0, col0, row1, middle), (row0, middle, row1, col1)
