"""How items are divided into units, and units into halves."""

from __future__ import annotations

import pytest

from geogaze.grid.lattice import Lattice
from geogaze.grid.rectangles import Division, Rectangle, area, halves
from geogaze.grid.tiling import Tiling


def covered(rectangle: Rectangle) -> list[tuple[int, int]]:
    row0, col0, row1, col1 = rectangle
    return [(row, col) for row in range(row0, row1) for col in range(col0, col1)]


@pytest.mark.parametrize(
    ("rows", "cols", "side"), [(1, 1, 1), (5, 7, 3), (7, 5, 3), (6, 3, 3), (1, 10, 4), (2, 2, 9)]
)
def test_squares_cover_every_item_once(rows: int, cols: int, side: int) -> None:
    division = Division(rows, cols, side)
    squares = [division.rectangle(number) for number in range(division.count)]
    every = [(row, col) for row in range(rows) for col in range(cols)]
    assert sorted(item for square in squares for item in covered(square)) == every
    assert all(0 < area(square) <= side**2 for square in squares)
    assert sum(map(area, squares)) == division.items == rows * cols
    assert squares == sorted(squares), "row by row"


def test_chunks_of_a_tiling_are_the_squares_of_its_division() -> None:
    tiling = Tiling.over(Lattice.covering((0, 0, 500, 700), 16, 0.0), 64, 0.5)
    division = Division(tiling.rows, tiling.cols, 3)
    chunks = [(c.row0, c.col0, c.row1, c.col1) for c in tiling.chunks(3)]
    assert chunks == [division.rectangle(number) for number in range(division.count)]


@pytest.mark.parametrize("whole", [(0, 0, 1, 2), (3, 5, 5, 6), (0, 0, 7, 7), (2, 2, 5, 13)])
def test_halves_are_two_rectangles_that_cover_the_whole(whole: Rectangle) -> None:
    first, second = halves(whole)
    assert covered(first)
    assert covered(second)
    assert sorted(covered(first) + covered(second)) == covered(whole)
    row0, col0, row1, col1 = whole
    assert abs(area(first) - area(second)) <= min(row1 - row0, col1 - col0)
