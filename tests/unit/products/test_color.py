"""Heat as colour, and where stretched cells come to lie."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geogaze.products.colormaps import MAX_OPACITY, Palette, colour_stops
from geogaze.products.make.color import Painter, lay_over, stretch


def test_every_colormap_draws_colours_of_its_own() -> None:
    image = np.zeros((1, 1, 3), dtype=np.uint8)
    hot = np.ones((1, 1), dtype=np.float32)
    drawn = {tuple(lay_over(image, hot, name)[0, 0].tolist()) for name in get_args(Palette)}
    assert len(drawn) == 7


def test_an_image_shows_through_where_there_is_no_heat() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14
    heat = np.array([[0, np.nan, 1], [0, np.nan, 1]], dtype=np.float32)
    drawn = lay_over(image, heat, "turbo")
    np.testing.assert_array_equal(drawn[:, :2], image[:, :2])
    expected = (
        image[:, 2] * (1 - MAX_OPACITY) + np.array(colour_stops("turbo")[-1][1:4]) * MAX_OPACITY
    )
    np.testing.assert_allclose(drawn[:, 2], expected, atol=1)


def test_heat_beyond_its_range_is_cut() -> None:
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    for name, low in (("turbo", 0), ("coolwarm", -1)):
        drawn = lay_over(image, np.array([[-3, 5]], dtype=np.float32), name)
        least = lay_over(image, np.array([[low, 1]], dtype=np.float32), name)
        np.testing.assert_array_equal(drawn, least)


def test_signed_values_show_on_both_sides_of_none() -> None:
    image = np.full((1, 5, 3), 128, dtype=np.uint8)
    drawn = lay_over(image, np.array([[-1, 0, np.nan, 0.01, 1]], dtype=np.float32), "coolwarm")
    np.testing.assert_array_equal(drawn[:, 1:4], image[:, 1:4])
    ends = [np.array(stop[1:4]) for stop in colour_stops("coolwarm")]
    for at, colour in ((0, ends[0]), (4, ends[-1])):
        expected = 128 * (1 - MAX_OPACITY) + colour * MAX_OPACITY
        np.testing.assert_allclose(drawn[0, at], expected, atol=1)


@pytest.mark.parametrize("name", get_args(Palette))
def test_a_painter_knows_which_levels_change_a_pixel(name: Palette) -> None:
    painter = Painter(name)
    images = [np.full((1, 1, 3), grey, dtype=np.uint8) for grey in (0, 128, 255)]
    for level in range(256):
        levels = np.full((1, 1), level, dtype=np.uint8)
        painted = [painter.paint(image, levels) for image in images]
        changed = [p is not None and (p != i).any() for p, i in zip(painted, images, strict=True)]
        assert painter.shows(levels).item() == any(changed) == (painted[0] is not None)


@pytest.mark.parametrize("offset", [0.0, -15.5, 7.25])
def test_a_hot_cell_is_stretched_about_its_centre(offset: float) -> None:
    heat = np.zeros((7, 9), dtype=np.float32)
    heat[3, 4] = 1
    top = 3.5 - offset / 2
    pixels = stretch(heat, (offset, top, 32), (224, 288))
    rows, cols = np.indices(pixels.shape)
    centre = [(pixels * axis).sum() / pixels.sum() for axis in (rows, cols)]
    # Corner coordinates of the cell's centre, less half a pixel for pixel centres.
    expected = [top + (3 + 0.5) * 32 - 0.5, offset + (4 + 0.5) * 32 - 0.5]
    assert centre == pytest.approx(expected, abs=0.05)
    assert pixels.max() == pytest.approx(1, abs=0.04)


def test_stretching_is_bilinear_between_centres_and_constant_beyond() -> None:
    heat = np.array([[0, 1], [0, 1]], dtype=np.float32)
    row = stretch(heat, (0, 0, 4), (8, 8))[0]
    expected = np.clip((np.arange(8) + 0.5 - 2) / 4, 0, 1)
    np.testing.assert_allclose(row, expected, atol=0.02)


def test_cells_may_be_smaller_than_pixels() -> None:
    heat = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (4, 1))
    row = stretch(heat, (0, 0, 0.5), (2, 32))[0]
    np.testing.assert_allclose(row, (np.arange(32) * 2 + 0.5) / 63, atol=0.02)


def bilinear(
    heat: np.ndarray, cell: tuple[float, float, float], shape: tuple[int, int]
) -> np.ndarray:
    """Plainly: each pixel's centre between the four nearest centres of cells."""
    left, top, size = cell

    def axis(pixels: int, start: float, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(pixels) + 0.5 - start) / size - 0.5, 0, cells - 1)
        first = np.floor(at).astype(int)
        return first, np.minimum(first + 1, cells - 1), at - first

    up, down, part = axis(shape[0], top, heat.shape[0])
    rows = heat[up] * (1 - part)[:, None] + heat[down] * part[:, None]
    before, behind, share = axis(shape[1], left, heat.shape[1])
    return np.asarray(rows[:, before] * (1 - share) + rows[:, behind] * share)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
    left=st.integers(-200, 100),
    top=st.integers(-200, 100),
    size=st.integers(1, 40),
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    between=st.sampled_from([0.0, 0.3, 0.5]),
)
def test_stretching_is_bilinear_wherever_cells_lie(
    rows: int, cols: int, left: int, top: int, size: int, height: int, width: int, between: float
) -> None:
    heat = np.random.default_rng(rows * cols).random((rows, cols)).astype(np.float32)
    cell, shape = (left + between, float(top), float(size)), (height, width)
    np.testing.assert_allclose(stretch(heat, cell, shape), bilinear(heat, cell, shape), atol=1e-5)
    levels = (heat * 255).round().astype(np.uint8)
    np.testing.assert_allclose(
        stretch(levels, cell, shape), bilinear(levels.astype(float), cell, shape), atol=0.501
    )
