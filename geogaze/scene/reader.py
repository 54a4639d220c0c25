"""Reading windows of the working grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.errors import SceneUnreadable
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.header import SceneInfo, valid_mask


@dataclass(frozen=True)
class Pixels:
    """A window of the working grid.

    ``values`` (bands, h, w) in the scene's dtype, 0 outside the scene; ``valid`` (h, w);
    ``box`` the working pixels.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    box: Box


class SceneReader:
    """Windows of one open scene at the working resolution."""

    def __init__(self, dataset: DatasetReader, info: SceneInfo, working: WorkingGrid) -> None:
        self._dataset = dataset
        self._info = info
        self._working = working

    def read(self, box: Box) -> Pixels:
        """Read a window, which may reach past the scene.

        Raises:
            SceneUnreadable: a block is damaged.
        """
        top, left, bottom, right = box
        values = np.zeros(
            (len(self._info.bands), bottom - top, right - left), dtype=self._info.dtype
        )
        valid = np.zeros(values.shape[1:], dtype=bool)
        row0, row1 = max(top, 0), min(bottom, self._working.height)
        col0, col1 = max(left, 0), min(right, self._working.width)
        if row0 < row1 and col0 < col1:
            scale = self._working.scale
            for top_, bottom_ in _pieces(row0, row1, scale, self._info.height):
                for left_, right_ in _pieces(col0, col1, scale, self._info.width):
                    inner = np.s_[top_ - top : bottom_ - top, left_ - left : right_ - left]
                    values[:, *inner], valid[inner] = self._read_inside(
                        top_, left_, bottom_, right_, (bottom_ - top_, right_ - left_)
                    )
        return Pixels(values, valid, box)

    def read_small(self, box: Box, shape: tuple[int, int]) -> Pixels:
        """Read a window inside the scene at ``shape`` pixels (h, w), for looking at it."""
        return Pixels(*self._read_inside(*box, shape), box)

    def _read_inside(
        self, row0: int, col0: int, row1: int, col1: int, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        scale = self._working.scale
        window = Window(
            col0 * scale,
            row0 * scale,
            min(col1 * scale, self._info.width) - col0 * scale,
            min(row1 * scale, self._info.height) - row0 * scale,
        )
        exact = shape == (window.height, window.width)
        try:
            values = self._dataset.read(
                list(self._info.bands),
                window=window,
                out_shape=(len(self._info.bands), *shape),
                # GDAL widens the bilinear kernel when it shrinks, and starts from overviews.
                resampling=Resampling.nearest if exact else Resampling.bilinear,
            )
            return values, valid_mask(self._dataset, self._info.bands, values, window, shape)
        except RasterioError as error:
            raise SceneUnreadable(
                f"{self._info.uri!r} is damaged at rows {row0}-{row1}, columns {col0}-{col1} "
                f"of the working grid: {error}"
            ) from error


def _pieces(start: int, stop: int, scale: float, length: int) -> list[tuple[int, int]]:
    """Working pixels ``start`` to ``stop``, the last apart where the scene fills it in part.

    Read with the others, it would stretch them all.
    """
    whole = math.floor(length / scale + 1e-6)
    if scale == 1 or stop <= whole or start >= whole:
        return [(start, stop)]
    return [(start, whole), (whole, stop)]


def unit_range(
    values: NDArray[Any], rescale: tuple[tuple[float, float], ...]
) -> NDArray[np.float32]:
    """Scene values (bands, h, w) to float32 in 0..1, cut at the rescale range."""
    low = np.array([pair[0] for pair in rescale], dtype=np.float32)[:, None, None]
    high = np.array([pair[1] for pair in rescale], dtype=np.float32)[:, None, None]
    known = np.clip(np.nan_to_num(values.astype(np.float32)), low, high)
    scaled: NDArray[np.float32] = (known - low) / (high - low)
    return scaled
