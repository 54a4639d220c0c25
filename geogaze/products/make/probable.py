"""What a model says of the tiles over a heat cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geogaze.products.facts import TOP, JobFacts
from geogaze.products.tiles import Tiles

_BYTES = 64 * 2**20  # of the probabilities that are in memory: of as many layers as that takes
_AT_ONCE = 2**17  # tiles that are read together


class Probable(NamedTuple):
    """Of some cells (n,): the highest ``probability`` that a tile over each gives a layer, NaN
    where none is known; ``best`` is the position of that tile's class, of the layer ``top``, else
    -1.
    """

    probability: NDArray[np.float64]
    best: NDArray[np.int64]


@dataclass(frozen=True)
class TilesOver:
    """The tiles over a lattice, and what the model says of each.

    Attributes:
        tops: (rows,) the first lattice row of each row of tiles.
        lefts: (cols,) the first lattice column of each column of them.
        cells: how many cells a tile is high and wide.
        probability: (rows, cols) of a layer, NaN where it is not known.
        best: (rows, cols) position of the best class, -1 where nobody looked; None where it does
            not matter.
    """

    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    cells: int
    probability: NDArray[np.float32]
    best: NDArray[np.int32] | None = None

    def at(self, row: NDArray[np.int64], col: NDArray[np.int64]) -> Probable:
        """What is said of some cells (n,), by their rows and columns."""
        up, down = self._over(self.tops, row)
        left, right = self._over(self.lefts, col)
        surest = np.full(len(row), np.nan)
        classes = np.full(len(row), -1, dtype=np.int64)
        for i in range(int((down - up).max(initial=0))):
            for j in range(int((right - left).max(initial=0))):
                at = np.minimum(up + i, down - 1), np.minimum(left + j, right - 1)
                said = self.probability[at]
                better = (said > surest) | (np.isnan(surest) & ~np.isnan(said))
                surest[better] = said[better]
                if self.best is not None:
                    # Where the model gives no probabilities, the first that was looked at counts.
                    better |= (classes < 0) & np.isnan(surest)
                    classes[better] = self.best[at][better]
        return Probable(surest, classes)

    def _over(
        self, firsts: NDArray[np.int64], cell: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first tile over each cell along an axis, and the first beyond it."""
        first = np.searchsorted(firsts, cell - self.cells, "right")
        return first, np.searchsorted(firsts, cell, "right")


def tiles_over(job: JobFacts, tiles: Tiles) -> Iterator[TilesOver]:
    """The tiles of a job for each of its layers in turn.

    Args:
        job: its facts.
        tiles: all of the job's.
    """
    tiling, count = job.tiling, len(job.layers)
    shape = tiling.rows, tiling.cols
    tops = np.array([tiling.first_cell(n, 0)[0] for n in range(tiling.rows)])
    lefts = np.array([tiling.first_cell(0, n)[1] for n in range(tiling.cols)])
    at_once = max(1, _BYTES // (4 * shape[0] * shape[1]))
    for first in range(0, count, at_once):
        some = slice(first, min(first + at_once, count))
        planes = np.full((some.stop - some.start, *shape), np.nan, dtype=np.float32)
        best = np.full(shape, -1, dtype=np.int32) if job.layers == (TOP,) else None
        for box in tiles.slabs(_AT_ONCE):
            table, here = tiles.read(box), np.s_[box[0] : box[2], box[1] : box[3]]
            across = box[2] - box[0], box[3] - box[1]
            if best is None:
                planes[:, *here] = table.probabilities[some].reshape(-1, *across)
            else:
                planes[0][here] = table.top_probability.reshape(across)
                best[here] = table.top.reshape(across)
        for plane in planes:
            yield TilesOver(tops, lefts, tiling.cells, plane, best)
