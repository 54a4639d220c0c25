"""Whether the tiles that a layer was made of show in it: steps across their borders. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.lattice import Box
from geogaze.grid.tiling import Tiling


class Seams:
    """Steps from cell to cell of a layer, where tiles begin or end and where none does.

    Counted block by block, in any order; steps from one block to the next are left out.

    Args:
        tiling: the tiles that the layer was blended of.
    """

    def __init__(self, tiling: Tiling) -> None:
        lattice = tiling.lattice
        rows = {tiling.first_cell(row, 0)[0] for row in range(tiling.rows)}
        cols = {tiling.first_cell(0, col)[1] for col in range(tiling.cols)}
        self._borders = (
            _borders(rows, lattice.rows, tiling.cells),
            _borders(cols, lattice.cols, tiling.cells),
        )
        self._sums = np.zeros(2)  # of steps inside, and across borders
        self._counts = np.zeros(2, dtype=np.int64)

    def add(self, values: NDArray[np.float32], box: Box) -> None:
        """Count a box (h, w) of the layer; NaN has no step to anything."""
        for axis in (0, 1):
            steps = np.abs(np.diff(values, axis=axis).astype(np.float64))
            known, other = np.isfinite(steps), 1 - axis
            border = self._borders[axis][box[axis] + 1 : box[axis + 2]]
            sums = np.where(known, steps, 0).sum(axis=other)
            counts = known.sum(axis=other)
            for across in (0, 1):
                self._sums[across] += sums[border == across].sum()
                self._counts[across] += counts[border == across].sum()

    @property
    def score(self) -> float | None:
        """Mean step across borders over mean step inside: about 1 where no tile shows.

        None where all steps are of one sort, or there is none inside.
        """
        if not self._counts.all() or not self._sums[0]:
            return None
        inside, across = self._sums / self._counts
        return float(across / inside)


def _borders(firsts: set[int], length: int, cells: int) -> NDArray[np.bool_]:
    """Which cells (length,) a tile begins with, or has just ended before."""
    border = np.zeros(length, dtype=np.bool_)
    border[[at for first in firsts for at in (first, first + cells) if 0 < at < length]] = True
    return border
