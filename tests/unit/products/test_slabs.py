"""All tiles of a job in rectangles that follow each other row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geogaze.grid.rectangles import Division, area
from geogaze.products.tiles import Tiles


def slabs(rows: int, cols: int, side: int, most: int) -> list[tuple[int, int, int, int]]:
    return list(Tiles(Division(rows, cols, side), lambda box: None).slabs(most))  # type: ignore[arg-type, return-value]


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.integers(1, 200))
def test_they_are_all_tiles_in_order_and_none_is_too_large(
    rows: int, cols: int, side: int, most: int
) -> None:
    at = np.arange(rows * cols).reshape(rows, cols)
    found = slabs(rows, cols, side, most)
    order = np.concatenate([at[r0:r1, c0:c1].ravel() for r0, c0, r1, c1 in found])
    assert (order == np.arange(rows * cols)).all()
    assert max(map(area, found)) <= most


def test_rows_of_squares_are_whole_where_they_fit() -> None:
    assert [(r0, r1) for r0, _, r1, _ in slabs(20, 10, 4, 95)] == [(0, 8), (8, 16), (16, 20)]
    assert [(r0, r1) for r0, _, r1, _ in slabs(5, 10, 4, 30)] == [(0, 3), (3, 5)]
    assert slabs(1, 10, 4, 6) == [(0, 0, 1, 6), (0, 6, 1, 10)]
