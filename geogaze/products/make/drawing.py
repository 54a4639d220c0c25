"""Drawing a large image block by block into a pyramid, in memory for a few rows of blocks."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.grid.lattice import Box
from geogaze.products.make.encoded import BlockAt, Pyramid
from geogaze.timing import timed

BLOCK = 512
_LEAF = 2  # the level of whose blocks each is drawn at once: 4 × 4 blocks of full resolution
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 88)


class Picture(NamedTuple):
    """``image`` (h, w, 3) uint8 BGR, as OpenCV encodes it, and ``valid`` (h, w), what it shows."""

    image: NDArray[np.uint8]
    valid: NDArray[np.bool_]


def draw_pyramid(pyramid: Pyramid, draw: Callable[[Box], Picture]) -> None:
    """Fill a pyramid from its finest level up, row by row, as scenes are stored.

    Nothing is drawn twice. What is kept meanwhile is a row of blocks of each level.

    Args:
        pyramid: with blocks of :data:`BLOCK` pixels.
        draw: draws a box of pixels of level 0: at most 4 × 4 blocks.
    """
    level = min(_LEAF, pyramid.levels - 1)
    upper: dict[int, list[Picture]] = {}  # of each level, the row that waits for the one below
    for row in range(_blocks(pyramid, level)[0]):
        pictures = [
            _drawn(pyramid, draw, level, (row, col)) for col in range(_blocks(pyramid, level)[1])
        ]
        _carry(pyramid, upper, level, row, pictures)


def _blocks(pyramid: Pyramid, level: int) -> tuple[int, int]:
    """Rows and columns of blocks of a level."""
    height, width = pyramid.shape(level)
    return -(-height // BLOCK), -(-width // BLOCK)


def _drawn(pyramid: Pyramid, draw: Callable[[Box], Picture], level: int, place: BlockAt) -> Picture:
    """Draw what a block of a level shows, and encode it and all finer blocks of it; the block."""
    side = BLOCK << level
    height, width = pyramid.shape(0)
    top, left = place[0] * side, place[1] * side
    picture = draw((top, left, min(top + side, height), min(left + side, width)))
    for finer in range(level + 1):
        _put_all(pyramid, finer, (place[0] << level - finer, place[1] << level - finer), picture)
        if finer < level:
            picture = _half(picture)
    return picture


def _carry(
    pyramid: Pyramid,
    upper: dict[int, list[Picture]],
    level: int,
    row: int,
    pictures: list[Picture],
) -> None:
    """Take in a finished row of a level's blocks; with the one above it, it makes a coarser one."""
    if level == pyramid.levels - 1:
        return
    if row % 2 == 0 and row < _blocks(pyramid, level)[0] - 1:
        upper[level] = pictures
        return
    rows = [pictures] if row % 2 == 0 else [upper.pop(level), pictures]
    coarser = []
    for col in range(0, len(pictures), 2):
        picture = _half(_joined([part[col : col + 2] for part in rows]))
        _put_all(pyramid, level + 1, (row // 2, col // 2), picture)
        coarser.append(picture)
    _carry(pyramid, upper, level + 1, row // 2, coarser)


def _joined(pictures: list[list[Picture]]) -> Picture:
    rows = [
        (np.hstack([p.image for p in row]), np.hstack([p.valid for p in row])) for row in pictures
    ]
    return Picture(np.vstack([row[0] for row in rows]), np.vstack([row[1] for row in rows]))


def _half(picture: Picture) -> Picture:
    """A picture at half its resolution: the mean of what is valid in each 2 × 2 pixels."""
    height, width = picture.valid.shape
    odd = (0, height % 2, 0, width % 2)
    image = cv2.copyMakeBorder(picture.image, *odd, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // 2, image.shape[0] // 2)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if picture.valid.all():
        return Picture(np.asarray(small, dtype=np.uint8), np.ones(size[::-1], dtype=bool))
    valid = cv2.copyMakeBorder(picture.valid.astype(np.float32), *odd, cv2.BORDER_CONSTANT)
    share = cv2.resize(valid, size, interpolation=cv2.INTER_AREA)[..., None]
    shown = cv2.resize(image * valid[..., None], size, interpolation=cv2.INTER_AREA)
    mean = np.divide(shown, share, out=small.astype(np.float32), where=share > 0)
    return Picture(mean.round().astype(np.uint8), share[..., 0] > 0)


def _put_all(pyramid: Pyramid, level: int, first: BlockAt, picture: Picture) -> None:
    """Encode the blocks of a picture, the first at ``first``; what is all invalid stays empty."""
    height, width = picture.valid.shape
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            part = np.s_[top : top + BLOCK, left : left + BLOCK]
            valid = picture.valid[part]
            if not valid.any():
                continue
            place = first[0] + top // BLOCK, first[1] + left // BLOCK
            pyramid.put(level, place, _jpeg(picture.image[part]), _bits(valid))


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
