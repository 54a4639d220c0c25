"""Of a block only the part is painted where heat shows; nobody sees the difference."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.products.make.color import Painter, stretch
from geogaze.products.make.overlay import _showing

PAINTERS = (Painter("inferno", bgr=True), Painter("coolwarm", bgr=True))


@pytest.mark.parametrize("seed", range(60))
def test_what_is_painted_in_part_is_as_if_it_were_painted_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(length) for length in rng.integers(40, 300, 2))
    left, top = (float(start) + 0.5 for start in rng.integers(-150, 20, 2))
    side = float(rng.integers(8, 40))
    rows, cols = int((height - top) / side) + 1, int((width - left) / side) + 1
    signed = seed % 2  # a level is twice as far from the next
    painter = PAINTERS[signed]
    near = painter.levels(np.zeros((rows, cols), dtype=np.float32))
    for _ in range(seed // 2 % 4):
        near[rng.integers(rows), rng.integers(cols)] = rng.integers(0, 255)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    at = _showing(painter.shows(near), (left, top, side), (height, width))
    whole = painter.paint(image, stretch(near, (left, top, side), (height, width)))
    expected = image if whole is None else whole
    outside = np.ones((height, width), dtype=bool)
    outside[at] = False
    np.testing.assert_array_equal(expected[outside], image[outside])
    if image[at].size:
        cell = (left - at[1].start, top - at[0].start, side)
        part = painter.paint(image[at], stretch(near, cell, image[at].shape[:2]))
        np.testing.assert_allclose(
            image[at] if part is None else part, expected[at], atol=1 + 2 * signed
        )


def test_no_heat_shows_nowhere() -> None:
    rows, cols = _showing(np.zeros((3, 3), dtype=bool), (0, 0, 32), (96, 96))
    assert rows.stop - rows.start == cols.stop - cols.start == 0
