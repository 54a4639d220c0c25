"""Shifted grids among overlapping tiles, against a mosaic of each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geogaze.grid.blend import Mosaic
from geogaze.grid.lattice import Lattice
from geogaze.grid.shifted import ShiftedGrids, overlap_for
from geogaze.grid.tiling import Tiling

ROWS, COLS = 17, 23


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("grids", [4, 9])
def test_the_spread_is_the_deviation_over_the_grids(grids: int, positive: bool) -> None:
    cells, apart = 6, math.isqrt(grids)
    tiling = Tiling.over(Lattice(32, 0, 0, 0, ROWS, COLS), 6 * 32, overlap_for(grids, cells) or 0)
    assert tiling.step * apart <= cells < (tiling.step + 1) * apart
    maps = np.random.default_rng(0).normal(size=(tiling.rows, tiling.cols, 2, cells, cells))
    maps = maps.astype(np.float32) + 100  # a mean that swallows the digits of naive sums
    shifted = ShiftedGrids(grids, ROWS, COLS, cells, 2)
    means = []
    for row in range(tiling.rows):
        for col in range(tiling.cols):
            shifted.add(maps[row, col], (row, col), tiling.first_cell(row, col))
    for down in range(apart):
        for across in range(apart):
            mosaic = Mosaic(ROWS, COLS, cells, (2,))
            for row in range(down, tiling.rows, apart):
                for col in range(across, tiling.cols, apart):
                    mosaic.add(maps[row, col], *tiling.first_cell(row, col))
            means.append(np.maximum(mosaic.mean(), 100) if positive else mosaic.mean())
    stack = np.stack(means)
    looks = np.isfinite(stack).sum(axis=0)
    assert looks[:, cells:-cells, cells:-cells].min() == grids
    expected = np.where(looks > 1, np.nanstd(np.where(looks > 0, stack, 0), axis=0), np.nan)
    found = shifted.spread(positive=False)
    if positive:
        below = ShiftedGrids(grids, ROWS, COLS, cells, 2)
        for row in range(tiling.rows):
            for col in range(tiling.cols):
                below.add(maps[row, col] - 100, (row, col), tiling.first_cell(row, col))
        found = below.spread(positive=True)
    assert np.isnan(found[:, 0, 0]).all(), "one grid alone looks at the corner"
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_overlap_that_is_asked_for_is_the_least_that_is_enough() -> None:
    assert [overlap_for(4, cells) for cells in (2, 4, 7)] == [0.26, 0.38, 0.51]
    for cells in (7, 10, 32):
        for apart in range(2, 11):
            asked = overlap_for(apart**2, cells)
            steps = [
                Tiling.over(Lattice(32, 0, 0, 0, 99, 99), 32 * cells, overlap / 100).step
                for overlap in range(91)
            ]
            enough = [n / 100 for n, step in enumerate(steps) if step * apart <= cells]
            assert asked == (enough[0] if enough else None)
