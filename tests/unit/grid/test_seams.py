"""Steps across the borders of tiles, against loops over all pairs of cells."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.grid.lattice import Lattice, slices
from geogaze.grid.rectangles import Division
from geogaze.grid.seams import Seams
from geogaze.grid.tiling import Tiling

ROWS, COLS = 22, 31
LATTICE = Lattice(32, 0, 0, 0, ROWS, COLS)
NOISE = np.random.default_rng(2).random((ROWS, COLS)).astype(np.float32)


@pytest.mark.parametrize("overlap", [0.0, 0.4])
def test_the_score_is_the_mean_step_across_borders_over_that_inside(overlap: float) -> None:
    tiling = Tiling.over(LATTICE, 224, overlap)
    values = NOISE.copy()
    values[3:6, 8:20] = np.nan
    blocks = Division(ROWS, COLS, 9)
    seams = Seams(tiling)
    steps: dict[bool, list[float]] = {False: [], True: []}
    for number in range(blocks.count):
        box = blocks.rectangle(number)
        seams.add(values[slices(box)], box)
        for row in range(box[0], box[2]):
            for col in range(box[1], box[3]):
                for other, axis in (((row + 1, col), 0), ((row, col + 1), 1)):
                    if other[0] < box[2] and other[1] < box[3]:
                        across = begins_or_ends(tiling, axis, other[axis])
                        steps[across].append(abs(values[other] - values[row, col]))
    means = {across: np.nanmean(of) for across, of in steps.items()}
    assert seams.score == pytest.approx(means[True] / means[False])


def begins_or_ends(tiling: Tiling, axis: int, cell: int) -> bool:
    count = (tiling.rows, tiling.cols)[axis]
    firsts = [tiling.first_cell(n, n)[axis] for n in range(count)]
    return any(cell in {first, first + tiling.cells} for first in firsts)


def test_a_seam_shows_and_none_does_not() -> None:
    tiling = Tiling.over(LATTICE, 224, 0)
    seamless, seamed = Seams(tiling), Seams(tiling)
    seamless.add(NOISE, (0, 0, ROWS, COLS))
    tiles = np.random.default_rng(1).integers(0, 2, (ROWS // 7 + 1, COLS // 7 + 1))
    made = NOISE + 3 * tiles.repeat(7, axis=0).repeat(7, axis=1)[:ROWS, :COLS]
    # The last tiles lie moved back over others, and have no border here.
    seamed.add(made[:21, :28].astype(np.float32), (0, 0, 21, 28))
    assert seamless.score == pytest.approx(1, abs=0.15)
    assert (seamed.score or 0) > 3


def test_where_nothing_compares_there_is_no_score() -> None:
    dark, everywhere = Seams(Tiling.over(LATTICE, 224, 0)), Seams(Tiling.over(LATTICE, 64, 0.5))
    dark.add(np.zeros((ROWS, COLS), dtype=np.float32), (0, 0, ROWS, COLS))
    everywhere.add(NOISE, (0, 0, ROWS, COLS))
    assert (dark.score, everywhere.score) == (None, None)
