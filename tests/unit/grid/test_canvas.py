"""How pictures are divided: by their size alone, into units that lanes can share."""

from __future__ import annotations

import pytest

from geogaze.grid.canvas import BLOCK, Canvas


@pytest.mark.parametrize(
    ("height", "width", "level", "units"),
    [
        (1, 1, 0, 1),
        (512, 513, 0, 2),
        (1024, 1024, 0, 4),
        (1025, 1025, 1, 4),
        (2048, 2048, 1, 4),
        (2049, 2049, 2, 4),
        (6144, 6144, 2, 9),
        (40_000, 40_000, 2, 400),
        (1, 9000, 2, 5),
    ],
)
def test_units_are_large_but_no_fewer_than_lanes(
    height: int, width: int, level: int, units: int
) -> None:
    canvas = Canvas(height, width)
    assert (canvas.level, canvas.units.count) == (level, units)


def test_units_are_whole_blocks_and_cover_each_pixel_once() -> None:
    canvas = Canvas(5000, 3000)
    side = BLOCK << canvas.level
    boxes = [canvas.units.rectangle(n) for n in range(canvas.units.count)]
    assert all(top % side == left % side == 0 for top, left, _, _ in boxes)
    assert sum((b - t) * (r - x) for t, x, b, r in boxes) == 5000 * 3000
