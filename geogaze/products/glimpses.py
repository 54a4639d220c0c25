"""Glimpses of a job's tiles, and the coarse canvas that they are laid on while it runs. Pure."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PICTURE = 8
"""Pixels of a glimpse's picture for each step from tile to tile."""

AHEAD = 30
"""Grey of what is not explained yet."""

MOST = 96
"""Cells of a canvas along its longer side, where nothing else is said."""


class Glimpse(NamedTuple):
    """Of a rectangle of tiles: ``heat`` (K, rows, cols) float32, the mean positive evidence of each
    tile, NaN where not looked at; ``picture`` (rows · PICTURE, cols · PICTURE, 3) uint8 RGB.
    """

    heat: NDArray[np.float32]
    picture: NDArray[np.uint8]


class Canvas:
    """Glimpses laid together, in memory that does not grow with the job.

    ``every`` is the number of tiles along a cell's side; ``off`` is how far, in cells, the middle
    of a tile lies from that of the step it begins with.

    Args:
        layers: number of layers.
        rows: tiles down.
        cols: tiles across.
        reach: side of a tile, in steps from tile to tile.
        most: cells along the longer side, at most.
        detail: pixels of the picture along a cell's side; PICTURE is a multiple of it.
    """

    def __init__(
        self,
        layers: int,
        rows: int,
        cols: int,
        reach: float,
        most: int = MOST,
        detail: int = PICTURE,
    ) -> None:
        self.every = max(1, math.ceil(max(rows, cols) / most))
        self.off = (reach - 1) / 2 / self.every
        down, across = math.ceil(rows / self.every), math.ceil(cols / self.every)
        self._heat = _Means(layers, (down, across), self.every)
        pixels = (down * detail, across * detail)
        self._picture = _Means(3, pixels, self.every * PICTURE // detail)
        self._laid = np.zeros((down, across), dtype=bool)

    def lay(self, row: int, col: int, glimpse: Glimpse) -> None:
        """Lay a glimpse with its first tile at (row, col)."""
        rows, cols = glimpse.heat.shape[1:]
        self._heat.add(row, col, glimpse.heat)
        self._picture.add(row * PICTURE, col * PICTURE, np.moveaxis(glimpse.picture, -1, 0))
        last = (row + rows - 1) // self.every, (col + cols - 1) // self.every
        self._laid[row // self.every : last[0] + 1, col // self.every : last[1] + 1] = True

    @property
    def heat(self) -> NDArray[np.float32]:
        """Mean heat (K, rows, cols) of the canvas' cells; NaN where no tile was looked at."""
        return self._heat.of(slice(None))

    def layer(self, number: int) -> NDArray[np.float32]:
        """The heat (rows, cols) of one layer."""
        return self._heat.of(number)

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The scene (rows · detail, cols · detail, 3) RGB; grey where nothing is laid."""
        means = np.nan_to_num(self._picture.of(slice(None)), nan=AHEAD)
        return np.ascontiguousarray(np.moveaxis(np.rint(means), 0, -1), dtype=np.uint8)

    @property
    def laid(self) -> NDArray[np.bool_]:
        """Where (rows, cols) something is laid."""
        return self._laid


class _Means:
    """Means (channels, rows, cols) of finer values, ``every`` × ``every`` to a cell."""

    def __init__(self, channels: int, shape: tuple[int, int], every: int) -> None:
        self._every = every
        self._sum = np.zeros((channels, *shape), dtype=np.float32)
        self._count = np.zeros(shape, dtype=np.float32)

    def add(self, top: int, left: int, values: NDArray[Any]) -> None:
        """Values (channels, rows, cols) from (top, left) on; NaN, in all channels, is none."""
        rows, cols = (
            (first + np.arange(count)) // self._every
            for first, count in zip((top, left), values.shape[1:], strict=True)
        )
        known = np.isfinite(values).all(axis=0)
        parts = [np.flatnonzero(np.diff(side, prepend=-1)) for side in (rows, cols)]

        def summed(some: NDArray[Any]) -> NDArray[Any]:
            down = np.add.reduceat(some.astype(np.float32), parts[0], axis=-2)
            return np.asarray(np.add.reduceat(down, parts[1], axis=-1))

        box = np.s_[..., rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        self._sum[box] += summed(np.where(known, values, 0))
        self._count[box] += summed(known)

    def of(self, channels: int | slice) -> NDArray[np.float32]:
        """The means of some channels; NaN where there is no value."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sum[channels] / self._count, dtype=np.float32)
