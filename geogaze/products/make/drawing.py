"""Pictures of a scene under several layers, drawn block by block at all resolutions.

The scene itself is drawn and encoded once. Of a layer only those blocks are where its heat shows;
all others are the scene's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.grid.canvas import BLOCK
from geogaze.products.make.encoded import BlockAt, Pyramid
from geogaze.timing import timed

_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 88)
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
_HALF = BLOCK // 2

Paint = Callable[[BlockAt, NDArray[np.uint8]], NDArray[np.uint8] | None]
"""Paints a block (h, w, 3) of full resolution; None where that would leave it as it is."""


class Picture(NamedTuple):
    """``image`` (h, w, 3) uint8 BGR, as OpenCV encodes it, and ``valid`` (h, w), what it shows."""

    image: NDArray[np.uint8]
    valid: NDArray[np.bool_]


class Painted(NamedTuple):
    """A layer's own ``blocks``, JPEG, by level and place, and its coarsest at half its resolution.

    ``half`` is None where all is as in the scene.
    """

    blocks: dict[tuple[int, BlockAt], bytes]
    half: NDArray[np.uint8] | None


class Scenery:
    """A unit's part of the scene: its blocks at all levels up to the unit's own.

    Args:
        picture: the part at full resolution.
        level: of which the unit is one block.
    """

    @timed("overlay")
    def __init__(self, picture: Picture, level: int) -> None:
        self._level = level
        self._blocks: dict[tuple[int, BlockAt], Picture] = {}
        for finer in range(level + 1):
            self._blocks |= {(finer, place): block for place, block in _cut(picture)}
            picture = half(picture)
        self.half = picture
        # Asked for every layer, told once.
        self._seen = {at for at, block in self._blocks.items() if block.valid.any()}
        self._whole = {at for at in self._seen if self._blocks[at].valid.all()}

    def encoded(self) -> dict[tuple[int, BlockAt], tuple[bytes, bytes]]:
        """JPEG and mask of each block that has a valid pixel, by level and place in the unit."""
        return {
            at: (_jpeg(block.image), _bits(block.valid))
            for at, block in self._blocks.items()
            if at in self._seen
        }

    @timed("overlay")
    def under(self, paint: Paint) -> Painted:
        """The scene under one layer."""
        blocks: dict[tuple[int, BlockAt], bytes] = {}

        def visit(level: int, place: BlockAt) -> NDArray[np.uint8] | None:
            at = level, place
            if at not in self._seen:
                return None
            if level == 0:
                image = paint(place, self._blocks[at].image)
            else:
                image = self._joined(level, place, visit)
            if image is not None:
                blocks[at] = _jpeg(image)
            return image

        top = visit(self._level, (0, 0))
        if top is None:
            return Painted(blocks, None)
        return Painted(blocks, self._half(top, (self._level, (0, 0))))

    def _joined(
        self,
        level: int,
        place: BlockAt,
        visit: Callable[[int, BlockAt], NDArray[np.uint8] | None],
    ) -> NDArray[np.uint8] | None:
        """A block of a coarser level: the scene's, but for those quarters that are painted."""
        joined = None
        for down, right in _QUARTERS:
            finer = 2 * place[0] + down, 2 * place[1] + right
            image = visit(level - 1, finer)
            if image is None:
                continue
            if joined is None:
                joined = self._blocks[level, place].image.copy()
            small = self._half(image, (level - 1, finer))
            top, left = down * _HALF, right * _HALF
            joined[top : top + small.shape[0], left : left + small.shape[1]] = small
        return joined

    def _half(self, image: NDArray[np.uint8], at: tuple[int, BlockAt]) -> NDArray[np.uint8]:
        """A painted block at half its resolution."""
        if at in self._whole:
            return _mean_of_four(image)
        return half(Picture(image, self._blocks[at].valid)).image


def put_coarser(
    pyramid: Pyramid, level: int, unit: Callable[[BlockAt], Picture], place: BlockAt = (0, 0)
) -> None:
    """Fill a pyramid above its units' level, one quarter of a block after the other.

    What is in memory meanwhile is a block of each level, whatever the size of the image.

    Args:
        pyramid: its last level is one block.
        level: the units' own.
        unit: gives a unit's block at half its resolution, by the unit's row and column.
        place: the block of the last level.
    """

    def visit(at: int, place: BlockAt) -> Picture:
        if at == level:
            return unit(place)
        height, width = (
            min(BLOCK, length - BLOCK * start)
            for length, start in zip(pyramid.shape(at), place, strict=True)
        )
        picture = Picture(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool))
        finer_height, finer_width = pyramid.shape(at - 1)
        for down, right in _QUARTERS:
            finer = 2 * place[0] + down, 2 * place[1] + right
            if finer[0] * BLOCK >= finer_height or finer[1] * BLOCK >= finer_width:
                continue
            quarter = visit(at - 1, finer)
            rows, cols = quarter.valid.shape
            here = np.s_[down * _HALF : down * _HALF + rows, right * _HALF : right * _HALF + cols]
            picture.image[here], picture.valid[here] = quarter
        if picture.valid.any():
            pyramid.put(at, place, _jpeg(picture.image), _bits(picture.valid))
        return half(picture)

    visit(pyramid.levels - 1, place)


def half(picture: Picture) -> Picture:
    """A picture at half its resolution: the mean of what is valid in each 2 × 2 pixels."""
    small = _mean_of_four(picture.image)
    if picture.valid.all():
        return Picture(small, np.ones(small.shape[:2], dtype=bool))
    image, size = _even(picture.image), small.shape[1::-1]
    odd = (0, len(picture.valid) % 2, 0, picture.valid.shape[1] % 2)
    known = cv2.copyMakeBorder(picture.valid.astype(np.float32), *odd, cv2.BORDER_CONSTANT)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)[..., None]
    shown = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
    mean = np.divide(shown, share, out=small.astype(np.float32), where=share > 0)
    return Picture(mean.round().astype(np.uint8), share[..., 0] > 0)


def _mean_of_four(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image at half its resolution, valid or not."""
    image = _even(image)
    size = image.shape[1] // 2, image.shape[0] // 2
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image with its last row and column twice where their number is odd."""
    down, right = (length % 2 for length in image.shape[:2])
    if not (down or right):
        return image
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(image, 0, down, 0, right, border), dtype=np.uint8)


def _cut(picture: Picture) -> list[tuple[BlockAt, Picture]]:
    """A picture's blocks with their places."""
    height, width = picture.valid.shape
    return [
        (
            (top // BLOCK, left // BLOCK),
            Picture(
                picture.image[top : top + BLOCK, left : left + BLOCK],
                picture.valid[top : top + BLOCK, left : left + BLOCK],
            ),
        )
        for top in range(0, height, BLOCK)
        for left in range(0, width, BLOCK)
    ]


@timed("encode")
def _jpeg(image: NDArray[np.uint8]) -> bytes:
    down, right = BLOCK - image.shape[0], BLOCK - image.shape[1]
    if down or right:  # what lies beyond the border costs least where it is like the border
        image = np.asarray(cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE))
    done, data = cv2.imencode(".jpg", image, _QUALITY)
    if not done:
        raise OSError("A block could not be encoded as JPEG.")
    return data.tobytes()


@timed("encode")
def _bits(valid: NDArray[np.bool_]) -> bytes:
    whole = np.zeros((BLOCK, BLOCK), dtype=bool)
    whole[: valid.shape[0], : valid.shape[1]] = valid
    return zlib.compress(np.packbits(whole, axis=1).tobytes(), 1)
