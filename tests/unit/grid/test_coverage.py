"""How much of a cell is valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geogaze.grid.coverage import cell_coverage
from geogaze.grid.lattice import Box, Lattice


def reference(
    mask: NDArray[np.bool_], origin: tuple[int, int], lattice: Lattice, cells: Box, scene: Box
) -> NDArray[np.float64]:
    """Counted in quarters of pixels, where cells at half pixels have whole borders."""
    share = np.zeros((cells[2] - cells[0], cells[3] - cells[1]))
    fine = mask.repeat(2, axis=0).repeat(2, axis=1)
    rows = np.arange(len(fine)) / 2 + origin[0]
    cols = np.arange(fine.shape[1]) / 2 + origin[1]
    for i, j in np.ndindex(share.shape):
        top = lattice.offset + (lattice.row0 + cells[0] + i) * lattice.stride
        left = lattice.offset + (lattice.col0 + cells[1] + j) * lattice.stride
        in_rows = (rows >= max(top, scene[0])) & (rows < min(top + lattice.stride, scene[2]))
        in_cols = (cols >= max(left, scene[1])) & (cols < min(left + lattice.stride, scene[3]))
        quarters = fine[np.ix_(in_rows, in_cols)]
        share[i, j] = quarters.mean() if quarters.size else 0
    return share


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    stride=st.integers(1, 12),
    half_offset=st.integers(-24, 24),
    density=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    pad=st.integers(0, 3),
    part=st.tuples(*[st.floats(0, 1)] * 4),
    seed=st.integers(0, 2**16),
)
def test_coverage_equals_counting_quarter_pixels(
    height: int,
    width: int,
    stride: int,
    half_offset: int,
    density: float,
    pad: int,
    part: tuple[float, float, float, float],
    seed: int,
) -> None:
    lattice = Lattice.covering((0, 0, height, width), stride, half_offset / 2)
    row0, row1 = sorted(round(x * (lattice.rows - 1)) for x in part[:2])
    col0, col1 = sorted(round(x * (lattice.cols - 1)) for x in part[2:])
    cells = (row0, col0, row1 + 1, col1 + 1)
    # The window that chunks read: the cells, a little more, and past the scene.
    rows = lattice.edges(lattice.row0 + cells[0], cells[2] - cells[0])
    cols = lattice.edges(lattice.col0 + cells[1], cells[3] - cells[1])
    top, left = int(rows[0] // 1) - pad, int(cols[0] // 1) - pad
    shape = int(-(-rows[-1] // 1)) + pad - top, int(-(-cols[-1] // 1)) + pad - left
    mask = np.random.default_rng(seed).random(shape) < density
    scene = (0, 0, height, width)
    actual = cell_coverage(mask, (top, left), lattice, cells, scene)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(
        actual, reference(mask, (top, left), lattice, cells, scene), atol=1e-6
    )


@pytest.mark.parametrize("offset", [-15.5, 0.0, 15.5])
def test_cells_at_the_edge_count_only_pixels_of_the_scene(offset: float) -> None:
    lattice = Lattice.covering((0, 0, 50, 70), 32, offset)
    cells = (0, 0, lattice.rows, lattice.cols)
    mask = np.zeros((150, 170), dtype=bool)
    mask[50:100, 50:120] = True  # exactly the scene; what lies around it is not valid
    coverage = cell_coverage(mask, (-50, -50), lattice, cells, (0, 0, 50, 70))
    np.testing.assert_array_equal(coverage, 1)


def test_valid_pixels_outside_the_scene_do_not_count() -> None:
    lattice = Lattice.covering((0, 0, 4, 6), 4, 0.0)
    mask = np.ones((8, 8), dtype=bool)
    mask[:4, 4:6] = False
    coverage = cell_coverage(mask, (0, 0), lattice, (0, 0, 1, 2), (0, 0, 4, 6))
    np.testing.assert_array_equal(coverage, [[1, 0]])


def test_cells_outside_the_scene_are_covered_by_nothing() -> None:
    lattice = Lattice.covering((0, 0, 4, 8), 4, 0.0)
    mask = np.ones((4, 8), dtype=bool)
    coverage = cell_coverage(mask, (0, 0), lattice, (0, 0, 1, 2), (0, 0, 4, 4))
    np.testing.assert_array_equal(coverage, [[1, 0]])
