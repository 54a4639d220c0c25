"""Heat as colour, and where stretched cells come to lie."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geogaze.processes.explain.request import Colormap
from geogaze.products.make.color import MAX_OPACITY, colormap, lay_over, opacity, stretch


def test_colours_run_from_blue_to_red() -> None:
    colours = colormap().astype(int)
    assert colours.shape == (256, 3)
    assert colours[0, 2] > colours[0, 0] + 50
    assert colours[-1, 0] > colours[-1, 2] + 50
    assert len(np.unique(colours, axis=0)) > 180


def test_every_colormap_has_colours_of_its_own() -> None:
    maps = {name: colormap(name) for name in get_args(Colormap)}
    assert len({colours.tobytes() for colours in maps.values()}) == len(maps) == 6
    np.testing.assert_array_equal(maps["turbo"], colormap())
    for name in ("inferno", "magma", "plasma", "viridis", "cividis"):
        # These are made so that more is brighter, for every eye.
        light = maps[name].astype(float) @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(light) > -3).all(), name
        assert light[-1] - light[0] > 60, name
    image = np.zeros((1, 1, 3), dtype=np.uint8)
    hot = np.ones((1, 1), dtype=np.float32)
    drawn = {tuple(lay_over(image, hot, name)[0, 0].tolist()) for name in maps}
    assert len(drawn) == 6


def test_cold_is_clear_and_hot_is_opaque() -> None:
    level = opacity(np.linspace(0, 1, 101, dtype=np.float32))
    assert level[0] == 0
    assert level[-1] == pytest.approx(MAX_OPACITY)
    assert (np.diff(level) >= 0).all()
    assert level[5] < 0.03
    assert level[30] == pytest.approx(MAX_OPACITY / 2), "half way to where it is full"
    assert level[60:] == pytest.approx(MAX_OPACITY), "from three fifths of the heat on"


def test_an_image_shows_through_where_there_is_no_heat() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14
    heat = np.array([[0, np.nan, 1], [0, np.nan, 1]], dtype=np.float32)
    drawn = lay_over(image, heat)
    np.testing.assert_array_equal(drawn[:, :2], image[:, :2])
    expected = image[:, 2] * (1 - MAX_OPACITY) + colormap()[255] * MAX_OPACITY
    np.testing.assert_allclose(drawn[:, 2], expected, atol=1)


def test_heat_beyond_its_range_is_cut() -> None:
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    drawn = lay_over(image, np.array([[-1, 5]], dtype=np.float32))
    np.testing.assert_array_equal(drawn, lay_over(image, np.array([[0, 1]], dtype=np.float32)))


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
