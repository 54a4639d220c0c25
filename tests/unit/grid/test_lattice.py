"""The lattice of cells over a scene."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from geogaze.grid.lattice import Box, Lattice, WorkingGrid
from tests.factories import NORTH_UP, ROTATED
from tests.unit.grid.strategies import lattices


def assert_same(actual: Affine, expected: Affine) -> None:
    # Coordinates of millions of metres, equal to a micrometre.
    np.testing.assert_allclose(tuple(actual), tuple(expected), rtol=1e-12, atol=1e-6)


@given(lattices())
def test_lattice_is_the_smallest_that_covers_the_box(case: tuple[Lattice, Box]) -> None:
    lattice, box = case
    for first, count, start, stop in (
        (lattice.row0, lattice.rows, box[0], box[2]),
        (lattice.col0, lattice.cols, box[1], box[3]),
    ):
        edges = lattice.edges(first, count)
        assert edges[0] <= start < edges[1]
        assert edges[-2] < stop <= edges[-1]


@given(lattices())
def test_edges_are_a_stride_apart_and_in_phase_with_the_scene(case: tuple[Lattice, Box]) -> None:
    lattice, _ = case
    edges = np.array(lattice.edges(lattice.row0, lattice.rows))
    assert (np.diff(edges) == lattice.stride).all()
    assert (edges - lattice.offset) % lattice.stride == pytest.approx(0)


def test_lattice_affine_by_hand() -> None:
    # A ResNet: stride 32, first centre 0, so cells start 15.5 px (7.75 m) before the scene.
    lattice = Lattice.covering((0, 0, 320, 640), 32, -15.5)
    assert (lattice.row0, lattice.col0, lattice.rows, lattice.cols) == (0, 0, 11, 21)
    assert_same(
        lattice.transform(NORTH_UP),
        Affine(16, 0, 430_000 - 7.75, 0, -16, 5_410_000 + 7.75),
    )


@pytest.mark.parametrize("scene", [NORTH_UP, ROTATED], ids=["north-up", "rotated"])
@given(
    stride=st.integers(1, 64),
    # Within a stride before the scene, where its first cell has the index 0.
    share=st.floats(0, 0.99),
    scale=st.sampled_from([1.0, 0.5, 8 / 7, 4.0]),
)
def test_lattice_affine_is_scene_then_offset_then_stride(
    scene: Affine, stride: int, share: float, scale: float
) -> None:
    offset = -math.floor(2 * share * stride) / 2
    working = WorkingGrid.over(1000, 800, scene, scale)
    lattice = Lattice.covering((0, 0, working.height, working.width), stride, offset)
    expected = (
        scene @ Affine.scale(scale) @ Affine.translation(offset, offset) @ Affine.scale(stride)
    )
    assert_same(lattice.transform(working.transform), expected)


@given(lattices(), st.sampled_from([NORTH_UP, ROTATED]))
def test_cropped_lattice_is_the_whole_one_moved_by_whole_cells(
    case: tuple[Lattice, Box], scene: Affine
) -> None:
    cropped, box = case
    whole = Lattice.covering((0, 0, box[2], box[3]), cropped.stride, cropped.offset)
    shift = cropped.col0 - whole.col0, cropped.row0 - whole.row0
    assert_same(cropped.transform(scene), whole.transform(scene) @ Affine.translation(*shift))


def test_working_grid_at_the_scenes_own_resolution_is_the_scene() -> None:
    assert WorkingGrid.over(7, 5, ROTATED) == WorkingGrid(7, 5, 1.0, 1.0, ROTATED)


def test_working_grid_forgives_rounding_of_the_gsd() -> None:
    grid = WorkingGrid.over(6144, 6144, Affine.scale(0.3, -0.3), 0.342857142857 / 0.3)
    assert (grid.width, grid.height) == (5376, 5376)
    assert grid.transform.a == pytest.approx(0.342857142857)


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), scale=st.floats(0.1, 50))
def test_working_grid_covers_the_scene_by_less_than_a_pixel_more(
    width: int, height: int, scale: float
) -> None:
    grid = WorkingGrid.over(width, height, ROTATED, scale)
    assert -1e-5 < grid.width - width / scale < 1
    assert -1e-5 < grid.height - height / scale < 1
    assert grid.transform @ (0, 0) == pytest.approx(ROTATED @ (0, 0))
    assert grid.transform @ (10, 20) == pytest.approx(ROTATED @ (10 * scale, 20 * scale))


def test_working_pixels_may_be_other_than_the_scenes_in_shape() -> None:
    """Of a scene in degrees, say, whose pixels are higher than wide."""
    grid = WorkingGrid.over(100, 100, NORTH_UP, 2.0, 0.5)
    assert (grid.width, grid.height) == (50, 200)
    assert_same(grid.transform, NORTH_UP @ Affine.scale(2.0, 0.5))
    assert (
        WorkingGrid.over(9, 9, NORTH_UP, 3).transform
        == WorkingGrid.over(9, 9, NORTH_UP, 3, 3).transform
    )
