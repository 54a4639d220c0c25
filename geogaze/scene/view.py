"""A scene seen on the working grid: windows past its border, at another resolution, damaged."""

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

from geogaze.errors import SceneUnreachable, SceneUnreadable
from geogaze.grid.lattice import Box, WorkingGrid
from geogaze.scaling import unit_range
from geogaze.scene.info import SceneInfo
from geogaze.scene.reader import Block, PartUnread, SceneReader, Values, fault_of, unread
from geogaze.timing import timed

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


class SceneView:
    """Windows of an open scene at the working resolution.

    Args:
        reader: the open scene.
        info: what it says of itself.
        working: the working grid.
        lenient: leave out blocks that cannot be read, rather than raise.
    """

    def __init__(
        self, reader: SceneReader, info: SceneInfo, working: WorkingGrid, *, lenient: bool = False
    ) -> None:
        self._reader = reader
        self._info = info
        self._working = working
        self._lenient = lenient

    @timed("read")
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

    @timed("read")
    def read_small(self, box: Box, shape: tuple[int, int]) -> Pixels:
        """Read a window inside the scene at ``shape`` pixels (h, w), for looking at it.

        Raises:
            SceneUnreadable: a block is damaged.
            SceneUnreachable: a remote scene did not come.
        """
        try:
            return Pixels(*self._read_inside(*box, shape), box)
        except PartUnread as error:
            if not self._lenient:
                raise self._error("A part", error) from error
        values, known = self._nothing(shape)
        # Not block by block: of a large scene there are many, and a picture needs few pixels.
        rows, cols = (np.unique(np.linspace(0, n, _PARTS + 1, dtype=int)).tolist() for n in shape)
        down, across = (box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1]
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            part = np.s_[:, row0:row1, col0:col1]
            with suppress(PartUnread):
                values[part], known[part] = self._read_inside(
                    box[0] + row0 * down,
                    box[1] + col0 * across,
                    box[0] + row1 * down,
                    box[1] + col1 * across,
                    (row1 - row0, col1 - col0),
                )
        return Pixels(values, known, box)

    def _nothing(self, shape: tuple[int, int]) -> Values:
        whole = (len(self._info.bands), *shape)
        return Values(np.zeros(whole, dtype=self._info.dtype), np.zeros(whole, dtype=bool))

    def _salvage(self, box: Box, damage: list[Damage]) -> Values:
        """A window; where it fails, what does not depend on damaged blocks, adding to ``damage``.

        At another resolution than the scene's, a pixel depends on blocks a little off it too.
        """
        try:
            return self._read_inside(*box, (box[2] - box[0], box[3] - box[1]))
        except PartUnread:
            pass  # of which block?
        blocks, fault = list(self._depended_on(box)), fault_of(remote=self._info.remote)
        lost = [
            Damage(reach, f"{block.name} {fault}")
            for block, reach in blocks
            if not self._intact(block)
        ]
        # Where all blocks are well, it is an overview that is not.
        edges = [block.box for block in lost] or [reach for _, reach in blocks]
        rows = _cuts(box[0], box[2], [edge for reach in edges for edge in (reach[0], reach[2])])
        cols = _cuts(box[1], box[3], [edge for reach in edges for edge in (reach[1], reach[3])])
        values, known = self._nothing((box[2] - box[0], box[3] - box[1]))
        for (row0, row1), (col0, col1) in product(pairwise(rows), pairwise(cols)):
            piece = (row0, col0, row1, col1)
            if any(block.touches(piece) for block in lost):
                continue
            part = np.s_[:, row0 - box[0] : row1 - box[0], col0 - box[1] : col1 - box[1]]
            try:
                values[part], known[part] = self._read_inside(*piece, (row1 - row0, col1 - col0))
            except PartUnread as error:
                name = f"A part (working pixel rows {row0}-{row1 - 1}, columns {col0}-{col1 - 1})"
                if not self._lenient:
                    raise self._error(name, error) from error
                damage.append(Damage(piece, f"{name} {fault}"))
        damage.extend(lost)
        return Values(values, known)

    def _depended_on(self, box: Box) -> Iterator[tuple[Block, Box]]:
        """The blocks that a window of working pixels depends on, each with the working pixels that
        depend on it.
        """
        info, down, across = self._info, self._working.down, self._working.across
        top, bottom = _needed(box[0], box[2], down, info.height)
        left, right = _needed(box[1], box[3], across, info.width)
        for block in self._reader.blocks(info.bands, (top, left, bottom, right)):
            above, below = _reached(block.box[0], block.box[2], down)
            before, behind = _reached(block.box[1], block.box[3], across)
            yield block, (above, before, below, behind)

    def _intact(self, block: Block) -> bool:
        """Whether a block can be read; raises if not, and we are not lenient."""
        top, left, bottom, right = block.box
        try:
            self._reader.pixels(self._info.bands, block.box, (bottom - top, right - left))
        except PartUnread as error:
            if not self._lenient:
                raise self._error(block.name, error) from error
            return False
        return True

    def _error(self, part: str, error: PartUnread) -> SceneUnreadable | SceneUnreachable:
        return unread(f"{part} of {self._info.uri!r}", error, remote=self._info.remote)

    def _read_inside(
        self, row0: float, col0: float, row1: float, col1: float, shape: tuple[int, int]
    ) -> Values:
        info, across, down = self._info, self._working.across, self._working.down
        bottom, right = min(row1 * down, info.height), min(col1 * across, info.width)
        box = (row0 * down, col0 * across, bottom, right)
        values, known = self._reader.pixels(info.bands, box, shape)
        return Values(values, _settle(known, values, info.rescale))


def _cuts(start: int, stop: int, edges: list[int]) -> list[int]:
    """The ends of a span and the edges inside it, in order."""
    return sorted({start, stop, *(edge for edge in edges if start < edge < stop)})


def _kernel(scale: float) -> int:
    """Scene pixels around a working pixel that it may depend on too."""
    # GDAL's bilinear kernel, and two pixels for its rounding.
    return 0 if scale == 1 else math.ceil(max(1.0, scale)) + 2


def _needed(start: int, stop: int, scale: float, length: int) -> tuple[int, int]:
    """Along one axis, the scene pixels that working pixels ``start`` to ``stop`` depend on."""
    kernel = _kernel(scale)
    first, last = max(0.0, start * scale - kernel), min(stop * scale + kernel, length)
    return int(first), math.ceil(last)


def _reached(start: int, stop: int, scale: float) -> tuple[int, int]:
    """Along one axis, the working pixels that depend on scene pixels ``start`` to ``stop``."""
    kernel = _kernel(scale)
    return math.floor((start - kernel) / scale), math.ceil((stop + kernel) / scale)


def _pieces(start: int, stop: int, scale: float, length: int) -> list[tuple[int, int]]:
    """Working pixels ``start`` to ``stop``, the last apart where the scene fills it in part.

    Read with the others, it would stretch them all.
    """
    whole = math.floor(length / scale + 1e-6)
    if scale == 1 or stop <= whole or start >= whole:
        return [(start, stop)]
    return [(start, whole), (whole, stop)]


def _settle(
    known: NDArray[np.bool_], values: NDArray[Any], rescale: Sequence[tuple[float, float]]
) -> NDArray[np.bool_]:
    """Take back what a lone nodata value says where it may as well be a measurement.

    A band without a value beside others that have one is missing where its value lies outside
    the rescale range (-9999). Inside, 0 may be a dark green: that must not become a bright one.
    Works on ``known`` (bands, h, w) and returns it.
    """
    if not known.all() and (anywhere := known.any(axis=0)).any():
        for band, (low, high) in enumerate(rescale):
            known[band] |= anywhere & (values[band] >= low) & (values[band] <= high)
    return known
