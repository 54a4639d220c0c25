"""Reading windows of the working grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
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
from geogaze.scaling import unit_range
from geogaze.scene.asking import Asking
from geogaze.scene.header import SceneInfo
from geogaze.scene.validity import known_bands, settle

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

    ``values`` (bands, h, w) in the scene's dtype, 0 outside the scene; ``known`` (bands, h, w),
    where they are data; ``box`` the working pixels. ``damage`` has the boxes of blocks that could
    not be read, and why.
    """

    values: NDArray[Any]
    known: NDArray[np.bool_]
    box: Box
    damage: tuple[Damage, ...] = ()

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Where some band is data (h, w): a pixel without any was not looked at."""
        return np.asarray(self.known.any(axis=0))

    def shown(
        self, rescale: Sequence[tuple[float, float]], mean: Sequence[float]
    ) -> NDArray[np.float32]:
        """The values as the network sees them, 0..1: a missing band is its ``mean``."""
        means = np.asarray(mean, dtype=np.float32)[:, None, None]
        return np.where(self.known, unit_range(self.values, rescale), means)


class SceneReader:
    """Windows of one open scene at the working resolution.

    Args:
        dataset: the open scene.
        info: what it says of itself.
        working: the working grid.
        lenient: leave out blocks that cannot be read, rather than raise.
        silence_seconds: a remote read that fails after so long met a silent host.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        info: SceneInfo,
        working: WorkingGrid,
        *,
        lenient: bool = False,
        silence_seconds: float = math.inf,
    ) -> None:
        self._dataset = dataset
        self._asking = Asking(info.uri, silence_seconds)
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
        known = np.zeros(values.shape, dtype=bool)
        row0, row1 = max(top, 0), min(bottom, self._working.height)
        col0, col1 = max(left, 0), min(right, self._working.width)
        if row0 < row1 and col0 < col1:
            for top_, bottom_ in _pieces(row0, row1, self._working.down, self._info.height):
                for left_, right_ in _pieces(col0, col1, self._working.across, self._info.width):
                    inner = np.s_[:, top_ - top : bottom_ - top, left_ - left : right_ - left]
                    values[inner], known[inner] = self._salvage(
                        (top_, left_, bottom_, right_), damage
                    )
        return Pixels(values, known, box, tuple(damage))

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
        values, known = self._nothing(shape)
        # Not block by block: of a large scene there are many, and a picture needs few pixels.
        rows, cols = (np.unique(np.linspace(0, n, _PARTS + 1, dtype=int)).tolist() for n in shape)
        down, across = (box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1]
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            part = np.s_[:, row0:row1, col0:col1]
            with suppress(RasterioError):
                values[part], known[part] = self._read_inside(
                    box[0] + row0 * down,
                    box[1] + col0 * across,
                    box[0] + row1 * down,
                    box[1] + col1 * across,
                    (row1 - row0, col1 - col0),
                )
        return Pixels(values, known, box)

    def _nothing(self, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        whole = (len(self._info.bands), *shape)
        return np.zeros(whole, dtype=self._info.dtype), np.zeros(whole, dtype=bool)

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
            Damage(reach, f"{name} {self._asking.fault}")
            for name, window, reach in blocks
            if not self._intact(name, window)
        ]
        # Where all blocks are well, it is an overview that is not.
        edges = [found.box for found in lost] or [reach for _, _, reach in blocks]
        rows = _cuts(box[0], box[2], [edge for reach in edges for edge in (reach[0], reach[2])])
        cols = _cuts(box[1], box[3], [edge for reach in edges for edge in (reach[1], reach[3])])
        values, known = self._nothing((box[2] - box[0], box[3] - box[1]))
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            piece = (row0, col0, row1, col1)
            if any(found.touches(piece) for found in lost):
                continue
            part = np.s_[:, row0 - box[0] : row1 - box[0], col0 - box[1] : col1 - box[1]]
            try:
                values[part], known[part] = self._read_inside(*piece, (row1 - row0, col1 - col0))
            except RasterioError as error:
                name = f"A part (working pixel rows {row0}-{row1 - 1}, columns {col0}-{col1 - 1})"
                if not self._lenient:
                    raise self._error(name, error) from error
                damage.append(Damage(piece, f"{name} {self._asking.fault}"))
        damage.extend(lost)
        return values, known

    def _blocks(self, box: Box) -> Iterator[tuple[str, Window, Box]]:
        """The internal blocks that a window of working pixels depends on: what each is called, its
        pixels in the scene, and the working pixels that depend on it.
        """
        info, working = self._info, self._working
        height, width = self._dataset.block_shapes[info.bands[0] - 1]
        rows = _spans(box[0], box[2], working.down, height, info.height)
        cols = _spans(box[1], box[3], working.across, width, info.width)
        for (row, top, bottom, above, below), (col, left, right, before, behind) in product(
            rows, cols
        ):
            pixels = f"pixel rows {top}-{bottom - 1}, columns {left}-{right - 1}"
            name = f"Block (row {row}, column {col}; {pixels})"
            window = Window(left, top, right - left, bottom - top)
            yield name, window, (above, before, below, behind)

    def _intact(self, name: str, window: Window) -> bool:
        """Whether a block can be read; raises if not, and we are not lenient."""
        bands, shape = self._info.bands, (window.height, window.width)
        try:
            with self._asking.read():
                values = self._dataset.read(list(bands), window=window)
                known_bands(self._dataset, bands, values, window, shape)
        except RasterioError as error:
            if not self._lenient:
                raise self._error(name, error) from error
            return False
        return True

    def _error(self, block: str, error: RasterioError) -> SceneUnreadable | SceneUnreachable:
        return self._asking.error(f"{block} of {self._info.uri!r}", error)

    def _read_inside(
        self, row0: float, col0: float, row1: float, col1: float, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        info, across, down = self._info, self._working.across, self._working.down
        window = Window(
            col0 * across,
            row0 * down,
            min(col1 * across, info.width) - col0 * across,
            min(row1 * down, info.height) - row0 * down,
        )
        exact = shape == (window.height, window.width)
        with self._asking.read():
            values = self._dataset.read(
                list(info.bands),
                window=window,
                out_shape=(len(info.bands), *shape),
                # GDAL widens the bilinear kernel when it shrinks, and starts from overviews.
                resampling=Resampling.nearest if exact else Resampling.bilinear,
            )
            known = known_bands(self._dataset, info.bands, values, window, shape)
        return values, settle(known, values, info.rescale)


def _cuts(start: int, stop: int, edges: list[int]) -> list[int]:
    """The ends of a span and the edges inside it, in order."""
    return sorted({start, stop, *(edge for edge in edges if start < edge < stop)})


def _spans(
    start: int, stop: int, scale: float, side: int, length: int
) -> list[tuple[int, int, int, int, int]]:
    """Along one axis, the blocks that working pixels ``start`` to ``stop`` depend on: number,
    first and last scene pixel, first and last working pixel that depends on it.
    """
    # GDAL's bilinear kernel, and two pixels for its rounding.
    kernel = 0 if scale == 1 else math.ceil(max(1.0, scale)) + 2
    first, last = max(0.0, start * scale - kernel), min(stop * scale + kernel, length)
    spans = []
    for number in range(int(first) // side, math.ceil(last / side)):
        begin, end = number * side, min((number + 1) * side, length)
        reach = math.floor((begin - kernel) / scale), math.ceil((end + kernel) / scale)
        spans.append((number, begin, end, *reach))
    return spans


def _pieces(start: int, stop: int, scale: float, length: int) -> list[tuple[int, int]]:
    """Working pixels ``start`` to ``stop``, the last apart where the scene fills it in part.

    Read with the others, it would stretch them all.
    """
    whole = math.floor(length / scale + 1e-6)
    if scale == 1 or stop <= whole or start >= whole:
        return [(start, stop)]
    return [(start, whole), (whole, stop)]
