"""Overlapping tiles blended: a constant stays constant, up to the corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geogaze.grid.blend import Mosaic, cell_weights
from geogaze.grid.lattice import Lattice
from geogaze.grid.tiling import Tiling


@st.composite
def blends(draw: st.DrawFn) -> Tiling:
    """Lattices of 1 cell a side upwards, tiles of 1..9 cells at any step."""
    rows, cols = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    cells = draw(st.integers(1, 9))
    return Tiling(Lattice(1, 0.0, 0, 0, rows, cols), cells, cells, draw(st.integers(1, cells)))


def laid(tiling: Tiling, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    mosaic = Mosaic(tiling.lattice.rows, tiling.lattice.cols, tiling.cells)
    for row in range(tiling.rows):
        for col in range(tiling.cols):
            mosaic.add(maps[row, col], *tiling.first_cell(row, col))
    return mosaic.mean()


def one_cell(tiling: Tiling, maps: NDArray[np.float32], row: int, col: int) -> float:
    """The blend of one cell, tile by tile: nearer to a tile's middle counts more."""
    weights, values = [], []
    for tile_row in range(tiling.rows):
        for tile_col in range(tiling.cols):
            top, left = tiling.first_cell(tile_row, tile_col)
            i, j = row - top, col - left
            if 0 <= i < tiling.cells and 0 <= j < tiling.cells:
                to_border = [min(k + 1, tiling.cells - k) for k in (i, j)]
                weights.append(to_border[0] * to_border[1])
                values.append(float(maps[tile_row, tile_col, i, j]))
    return float(np.average(values, weights=weights))


@given(blends(), st.floats(-1e6, 1e6, width=32))
def test_constant_field_stays_constant_up_to_the_corners(tiling: Tiling, value: float) -> None:
    maps = np.full((tiling.rows, tiling.cols, tiling.cells, tiling.cells), value, np.float32)
    np.testing.assert_allclose(laid(tiling, maps), value, rtol=1e-6)


@given(blends(), st.integers(0, 2**32 - 1))
def test_blend_is_the_weighted_mean_cell_by_cell(tiling: Tiling, seed: int) -> None:
    shape = (tiling.rows, tiling.cols, tiling.cells, tiling.cells)
    maps = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    expected = [
        [one_cell(tiling, maps, row, col) for col in range(tiling.lattice.cols)]
        for row in range(tiling.lattice.rows)
    ]
    np.testing.assert_allclose(laid(tiling, maps), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", [1, 2, 3, 7, 14])
def test_window_is_positive_symmetric_and_highest_in_the_middle(cells: int) -> None:
    weights = cell_weights(cells)
    assert weights.shape == (cells, cells)
    assert (weights > 0).all()
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])
    assert weights[cells // 2, cells // 2] == weights.max()
    assert weights[0, 0] == weights.min()


def test_cells_without_a_map_are_nan_and_zero_stays_zero() -> None:
    mosaic = Mosaic(3, 5, 2)
    mosaic.add(np.zeros((2, 2), np.float32), 1, 3)
    mean = mosaic.mean()
    assert mean.dtype == np.float32
    expected = np.full((3, 5), np.nan)
    expected[1:, 3:] = 0
    np.testing.assert_array_equal(mean, expected)


def test_maps_are_cut_at_the_lattices_end() -> None:
    mosaic = Mosaic(2, 3, 4)
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    mosaic.add(values, 0, 0)
    np.testing.assert_allclose(mosaic.mean(), values[:2, :3])


def test_maps_are_cut_at_the_end_of_the_lattice() -> None:
    mosaic = Mosaic(3, 4, 2)
    mosaic.add(np.array([[1, 2], [3, 4]], dtype=np.float32), 2, 3)
    expected = np.full((3, 4), np.nan)
    expected[2, 3] = 1
    np.testing.assert_array_equal(mosaic.mean(), expected)
