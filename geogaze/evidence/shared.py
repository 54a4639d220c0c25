"""Windows that share one run of the trunk among many tiles: pure geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TileGroup:
    """Tiles whose activations are slices of one window's.

    ``corners`` (n, 2) int64 are rows and columns of all tiles' first pixels in the whole window,
    ``tiles`` (m,) int64 the positions of this block's tiles among them. ``size`` is a tile's side,
    ``halo`` the margin that the trunk looks beyond a tile, in pixels.
    """

    corners: NDArray[np.int64]
    tiles: NDArray[np.int64]
    size: int
    halo: int

    @classmethod
    def of(cls, corners: NDArray[np.int64], size: int, halo: int) -> TileGroup:
        """The block of all tiles."""
        return cls(corners, np.arange(len(corners)), size, halo)

    @property
    def _low(self) -> NDArray[np.int64]:
        low: NDArray[np.int64] = self.corners[self.tiles].min(axis=0) - self.halo
        return low

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the pixels that the trunk takes."""
        top, left = self._low
        bottom, right = self.corners[self.tiles].max(axis=0) + self.size + self.halo
        return slice(top, bottom), slice(left, right)

    @property
    def pixels(self) -> int:
        """Pixels of the window."""
        rows, cols = self.window
        return int((rows.stop - rows.start) * (cols.stop - cols.start))

    @property
    def divisible(self) -> bool:
        """Whether the tiles can be parted."""
        return bool(np.ptp(self.corners[self.tiles], axis=0).any())

    def halves(self) -> list[TileGroup]:
        """Two blocks, parted across the longer side."""
        places = self.corners[self.tiles]
        axis = int(np.ptp(places, axis=0).argmax())
        values = np.unique(places[:, axis])
        first = places[:, axis] < values[len(values) // 2]
        return [
            TileGroup(self.corners, self.tiles[part], self.size, self.halo)
            for part in (first, ~first)
        ]

    def offsets(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """First pixels (m, 2) of tiles in this block's window."""
        offsets: NDArray[np.int64] = self.corners[tiles] - self._low
        return offsets
