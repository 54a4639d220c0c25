"""Reading windows of the working grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, product
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
from geogaze.scene.policy import is_remote

_PARTS = 16  # along each side of a small picture of a damaged scene


@dataclass(frozen=True)
class Damage:
    """Working pixels that could not be read, or not without what could not."""

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
                    values[:, *inner], valid[inner] = self._salvage(
                        (top_, left_, bottom_, right_), damage
                    )
        return Pixels(values, valid, box, tuple(damage))

    def read_small(self, box: Box, shape: tuple[int, int]) -> Pixels:
        """Read a window inside the scene at ``shape`` pixels (h, w), for looking at it.

        Raises:
            SceneUnreadable: a block is damaged.
            SceneUnreachable: a remote scene did not come.
        """
        try:
            return Pixels(*self._read_inside(*box, shape), box)
        except RasterioError as error:
            if not self._lenient:
                raise self._error("A part", error) from error
        values, valid = self._nothing(shape)
        # Not block by block: of a large scene there are many, and a picture needs few pixels.
        rows, cols = (np.unique(np.linspace(0, n, _PARTS + 1, dtype=int)).tolist() for n in shape)
        down, across = (box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1]
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            part = np.s_[row0:row1, col0:col1]
            with suppress(RasterioError):
                values[:, *part], valid[part] = self._read_inside(
                    box[0] + row0 * down,
                    box[1] + col0 * across,
                    box[0] + row1 * down,
                    box[1] + col1 * across,
                    (row1 - row0, col1 - col0),
                )
        return Pixels(values, valid, box)

    def _nothing(self, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return (
            np.zeros((len(self._info.bands), *shape), dtype=self._info.dtype),
            np.zeros(shape, dtype=bool),
        )

    def _salvage(self, box: Box, damage: list[Damage]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """A window; where it fails, what does not depend on damaged blocks, adding to ``damage``.

        At another resolution than the scene's, a pixel depends on blocks a little off it too.
        """
        try:
            return self._read_inside(*box, (box[2] - box[0], box[3] - box[1]))
        except RasterioError:
            pass  # of which block?
        blocks = list(self._blocks(box))
        lost = [
            Damage(reach, f"{name} is damaged")
            for name, window, reach in blocks
            if not self._intact(name, window)
        ]
        # Where all blocks are well, it is an overview that is not.
        edges = [found.box for found in lost] or [reach for _, _, reach in blocks]
        rows = _cuts(box[0], box[2], [edge for reach in edges for edge in (reach[0], reach[2])])
        cols = _cuts(box[1], box[3], [edge for reach in edges for edge in (reach[1], reach[3])])
        values, valid = self._nothing((box[2] - box[0], box[3] - box[1]))
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            piece = (row0, col0, row1, col1)
            if any(found.touches(piece) for found in lost):
                continue
            part = np.s_[row0 - box[0] : row1 - box[0], col0 - box[1] : col1 - box[1]]
            try:
                values[:, *part], valid[part] = self._read_inside(
                    *piece, (row1 - row0, col1 - col0)
                )
            except RasterioError as error:
                name = f"A part (working pixel rows {row0}-{row1 - 1}, columns {col0}-{col1 - 1})"
                if not self._lenient:
                    raise self._error(name, error) from error
                damage.append(Damage(piece, f"{name} is damaged"))
        damage.extend(lost)
        return values, valid

    def _blocks(self, box: Box) -> Iterator[tuple[str, Window, Box]]:
        """The internal blocks that a window of working pixels depends on: what each is called, its
        pixels in the scene, and the working pixels that depend on it.
        """
        scale = self._working.scale
        # GDAL's bilinear kernel, and two pixels for its rounding.
        kernel = 0 if scale == 1 else math.ceil(max(1.0, scale)) + 2
        height, width = self._dataset.block_shapes[self._info.bands[0] - 1]
        info = self._info

        def numbers(start: int, stop: int, side: int, length: int) -> range:
            first, last = max(0.0, start * scale - kernel), min(stop * scale + kernel, length)
            return range(int(first) // side, math.ceil(last / side))

        for row, col in product(
            numbers(box[0], box[2], height, info.height), numbers(box[1], box[3], width, info.width)
        ):
            top, left = row * height, col * width
            bottom, right = min(top + height, info.height), min(left + width, info.width)
            reach = (
                math.floor((top - kernel) / scale),
                math.floor((left - kernel) / scale),
                math.ceil((bottom + kernel) / scale),
                math.ceil((right + kernel) / scale),
            )
            pixels = f"pixel rows {top}-{bottom - 1}, columns {left}-{right - 1}"
            name = f"Block (row {row}, column {col}; {pixels})"
            yield name, Window(left, top, right - left, bottom - top), reach

    def _intact(self, name: str, window: Window) -> bool:
        """Whether a block can be read; raises if not, and we are not lenient."""
        bands, shape = self._info.bands, (window.height, window.width)
        try:
            values = self._dataset.read(list(bands), window=window)
            valid_mask(self._dataset, bands, values, window, shape)
        except RasterioError as error:
            if not self._lenient:
                raise self._error(name, error) from error
            return False
        return True

    def _error(self, block: str, error: RasterioError) -> SceneUnreadable | SceneUnreachable:
        uri = self._info.uri
        if is_remote(uri):
            return SceneUnreachable(f"{block} of {uri!r} could not be fetched: {error}")
        return SceneUnreadable(f"{block} of {uri!r} is damaged: {error}")

    def _read_inside(
        self, row0: float, col0: float, row1: float, col1: float, shape: tuple[int, int]
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


def _cuts(start: int, stop: int, edges: list[int]) -> list[int]:
    """The ends of a span and the edges inside it, in order."""
    return sorted({start, stop, *(edge for edge in edges if start < edge < stop)})


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
