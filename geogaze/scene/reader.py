"""Reading windows of the working grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.errors import SceneUnreachable, SceneUnreadable
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scene.header import SceneInfo, valid_mask
from geogaze.scene.source import is_remote


@dataclass(frozen=True)
class Damage:
    """Working pixels that could not be read."""

    box: Box
    reason: str

    def touches(self, box: Box) -> bool:
        """Whether the two share a pixel."""
        return (
            self.box[0] < box[2]
            and box[0] < self.box[2]
            and self.box[1] < box[3]
            and box[1] < self.box[3]
        )


@dataclass(frozen=True)
class Pixels:
    """A window of the working grid.

    ``values`` (bands, h, w) in the scene's dtype, 0 outside the scene; ``valid`` (h, w);
    ``box`` the working pixels. ``damage`` has the boxes of blocks that could not be read, and why.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]
    box: Box
    damage: tuple[Damage, ...] = ()


class SceneReader:
    """Windows of one open scene at the working resolution.

    Args:
        dataset: the open scene.
        info: what it says of itself.
        working: the working grid.
        lenient: leave out blocks that cannot be read, rather than raise.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        info: SceneInfo,
        working: WorkingGrid,
        *,
        lenient: bool = False,
    ) -> None:
        self._dataset = dataset
        self._info = info
        self._working = working
        self._lenient = lenient

    def read(self, box: Box) -> Pixels:
        """Read a window, which may reach past the scene.

        Raises:
            SceneUnreadable: a block is damaged.
            SceneUnreachable: a remote scene did not come.
        """
        damage: list[Damage] = []
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
                    shape = (bottom_ - top_, right_ - left_)
                    values[:, *inner], valid[inner] = self._salvage(
                        (top_, left_, bottom_, right_), shape, damage
                    )
        return Pixels(values, valid, box, tuple(damage))

    def read_small(self, box: Box, shape: tuple[int, int]) -> Pixels:
        """Read a window inside the scene at ``shape`` pixels (h, w), for looking at it."""
        damage: list[Damage] = []
        return Pixels(*self._salvage(box, shape, damage), box, tuple(damage))

    def _salvage(
        self, box: Box, shape: tuple[int, int], damage: list[Damage]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """A window at ``shape``; where it fails, what its blocks yield, adding to ``damage``."""
        try:
            return self._read_inside(*box, shape)
        except RasterioError:
            values = np.zeros((len(self._info.bands), *shape), dtype=self._info.dtype)
            valid = np.zeros(shape, dtype=bool)
            for name, block in self._blocks(box):
                rows = _scaled(block[0] - box[0], block[2] - box[0], box[2] - box[0], shape[0])
                cols = _scaled(block[1] - box[1], block[3] - box[1], box[3] - box[1], shape[1])
                size = (rows.stop - rows.start, cols.stop - cols.start)
                try:
                    if min(size) > 0:
                        values[:, rows, cols], valid[rows, cols] = self._read_inside(*block, size)
                except RasterioError as error:
                    damage.append(Damage(block, f"{name} is damaged"))
                    if not self._lenient:
                        raise self._error(name, error) from error
            return values, valid

    def _blocks(self, box: Box) -> Iterator[tuple[str, Box]]:
        """The scene's internal blocks in a window of working pixels, cut to it."""
        scale = self._working.scale
        height, width = self._dataset.block_shapes[self._info.bands[0] - 1]
        for row in range(int(box[0] * scale) // height, math.ceil(box[2] * scale / height)):
            for col in range(int(box[1] * scale) // width, math.ceil(box[3] * scale / width)):
                inner = (
                    max(box[0], math.floor(row * height / scale)),
                    max(box[1], math.floor(col * width / scale)),
                    min(box[2], math.ceil((row + 1) * height / scale)),
                    min(box[3], math.ceil((col + 1) * width / scale)),
                )
                if inner[0] < inner[2] and inner[1] < inner[3]:
                    rows = f"rows {row * height}-{(row + 1) * height - 1}"
                    cols = f"columns {col * width}-{(col + 1) * width - 1}"
                    yield f"Block (row {row}, column {col}; pixel {rows}, {cols})", inner

    def _error(self, block: str, error: RasterioError) -> SceneUnreadable | SceneUnreachable:
        uri = self._info.uri
        if is_remote(uri):
            return SceneUnreachable(f"{block} of {uri!r} could not be fetched: {error}")
        return SceneUnreadable(f"{block} of {uri!r} is damaged: {error}")

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
        values = self._dataset.read(
            list(self._info.bands),
            window=window,
            out_shape=(len(self._info.bands), *shape),
            # GDAL widens the bilinear kernel when it shrinks, and starts from overviews.
            resampling=Resampling.nearest if exact else Resampling.bilinear,
        )
        return values, valid_mask(self._dataset, self._info.bands, values, window, shape)


def _scaled(start: int, stop: int, length: int, size: int) -> slice:
    """Part of a window, in pixels of its smaller copy."""
    return slice(start * size // length, stop * size // length)


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
