"""The picture of a job so far: every tile's heat at its place, and memory that does not grow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.products.glimpses import PICTURE, Canvas, Glimpse
from geogaze.products.make.so_far import Caption, draw_so_far


def glimpse(heat: NDArray[np.float32], grey: int = 90) -> Glimpse:
    rows, cols = heat.shape[1:]
    return Glimpse(heat, np.full((rows * PICTURE, cols * PICTURE, 3), grey, dtype=np.uint8))


def heat(rows: int, cols: int, layers: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(rows * cols).random((layers, rows, cols)).astype(np.float32)


def test_glimpses_lie_where_their_tiles_are() -> None:
    canvas = Canvas(2, 7, 9, 1)
    one, two = heat(4, 5), heat(3, 4)
    canvas.lay(0, 0, glimpse(one, 50))
    canvas.lay(4, 5, glimpse(two, 200))
    np.testing.assert_array_equal(canvas.heat[:, :4, :5], one)
    np.testing.assert_array_equal(canvas.heat[:, 4:, 5:], two)
    assert np.isnan(canvas.heat[:, :4, 5:]).all()
    assert (canvas.picture[: 4 * PICTURE, : 5 * PICTURE] == 50).all()
    assert (canvas.picture[4 * PICTURE :, 5 * PICTURE :] == 200).all()
    assert canvas.laid.sum() == one[0].size + two[0].size


def test_tiles_that_were_not_looked_at_have_no_heat() -> None:
    canvas = Canvas(1, 2, 2, 1)
    values = heat(2, 2, 1)
    values[0, 1, 0] = np.nan
    canvas.lay(0, 0, glimpse(values))
    np.testing.assert_array_equal(canvas.heat, values)
    assert canvas.laid.all()


def test_a_large_job_takes_no_more_memory_and_shows_means() -> None:
    rows, cols, side = 960, 700, 70
    canvas = Canvas(1, rows, cols, 2)
    whole = heat(rows, cols, 1)
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            canvas.lay(row, col, glimpse(whole[:, row : row + side, col : col + side]))
    assert canvas.heat.shape == (1, 96, 70)  # ten tiles to a cell
    means = whole.reshape(96, 10, 70, 10).mean(axis=(1, 3))
    np.testing.assert_allclose(canvas.heat[0], means, rtol=1e-5)
    assert canvas.picture.shape == (96 * PICTURE, 70 * PICTURE, 3)
    assert (canvas.picture == 90).all()


def drawn(canvas: Canvas, layers: tuple[str, ...]) -> NDArray[np.uint8]:
    caption = Caption("Where a model looks", "scene.tif", 3, 9)
    data = draw_so_far(canvas, layers, caption, "turbo")
    assert data.startswith(b"\x89PNG")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image, dtype=np.uint8)


@pytest.mark.parametrize(("row", "col"), [(0, 0), (1, 6), (6, 2), (7, 7)])
def test_a_hot_tile_glows_at_its_middle(row: int, col: int) -> None:
    """Tiles are two steps wide: the middle is a step from where the tile begins."""
    canvas = Canvas(1, 8, 8, 2)
    values = np.zeros((1, 8, 8), dtype=np.float32)
    values[0, row, col] = 5
    canvas.lay(0, 0, glimpse(values))
    picture = drawn(canvas, ("ship",))
    colour = np.ptp(picture.astype(int), axis=2)  # paper, ink and scene are grey, nearly
    colour[:66] = 0
    rows, cols = np.nonzero(colour > 0.9 * colour.max())
    side = 560 / 8
    at = ((rows.mean() - 66) / side, (cols.mean() - 22) / side)
    # At the border it fills what lies beyond, too: half a step more.
    near = [first + 1 if first < 7 else 7.85 for first in (row, col)]
    assert at == pytest.approx(near, abs=0.3)


@pytest.mark.parametrize("layers", [1, 3, 21])
def test_there_is_a_panel_for_each_layer(layers: int) -> None:
    canvas = Canvas(layers, 4, 6, 1)
    canvas.lay(0, 0, glimpse(heat(2, 6, layers)))
    names = tuple(f"class {i}" for i in range(layers))
    picture = drawn(canvas, names)
    assert picture.shape[1] < 1500
    lit = (np.ptp(picture[66:].astype(int), axis=2) > 60).sum()
    assert lit > 1000 * layers  # each has its own highest heat


def test_nothing_hot_is_no_division_by_zero() -> None:
    canvas = Canvas(2, 3, 3, 1)
    canvas.lay(0, 0, glimpse(np.full((2, 3, 3), np.nan, dtype=np.float32)))
    assert drawn(canvas, ("a", "b")).std() > 0
