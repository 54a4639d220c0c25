"""Heat as colour."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.products.colormaps import DIVERGING, Palette, colour_stops

Value = TypeVar("Value", np.float32, np.uint8)
_LEVELS = 255  # an odd number: one is the middle
_HAIRS = 400  # of a line's width across an image
_ALONE = 2**18
"""Multiplications that OpenBLAS does without its threads, which would wait for each other here:
several blocks are drawn at once.
"""


def colour_table(name: Palette) -> NDArray[np.float32]:
    """Red, green, blue and opacity (255, 4), 0..255, of as many levels from a colour map's lowest
    value to its highest.
    """
    at, *parts = np.array(colour_stops(name)).T
    levels = np.linspace(0, 1, _LEVELS)
    return np.stack([np.interp(levels, at, part) for part in parts], axis=1).astype(np.float32)


class Painter:
    """Lays heat over images, in whole numbers: what each of its levels does to pixels is looked up.

    Args:
        name: of the colour map.
        bgr: whether images have blue first, as OpenCV encodes them.
    """

    def __init__(self, name: Palette, *, bgr: bool = False) -> None:
        table = np.pad(colour_table(name), ((0, 256 - _LEVELS), (0, 0)), "edge")  # as cv2 wants it
        veil = table[:, 3:] / 255
        colours = table[:, 2::-1] if bgr else table[:, :3]
        self._tint = (colours * veil).round().astype(np.uint8)[:, None]
        self._left = (255 * (1 - veil)).round().astype(np.uint8)
        self._signed = name == DIVERGING
        clear = np.flatnonzero((self._tint == 0).all(axis=(1, 2)) & (self._left == 255).all(axis=1))
        self._clear = int(clear[0]), int(clear[-1])

    def levels(self, heat: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Heat in 0..1, or in -1..1 where the colour map has two sides, as levels; what lies beyond
        is cut, and NaN is 0.
        """
        level = np.nan_to_num(heat, nan=0.0)
        level = np.clip((level + 1) / 2 if self._signed else level, 0, 1)
        return np.asarray(cv2.convertScaleAbs(level, alpha=_LEVELS - 1), dtype=np.uint8)

    def shows(self, levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which of some levels change a pixel."""
        shown: NDArray[np.bool_] = (levels < self._clear[0]) | (levels > self._clear[1])
        return shown

    def paint(
        self, image: NDArray[np.uint8], levels: NDArray[np.uint8]
    ) -> NDArray[np.uint8] | None:
        """Levels (h, w) over an image (h, w, 3); None where they leave the image as it is."""
        low, high = self._clear
        if not len(levels) or (levels.max() <= high and levels.min() >= low):
            return None
        left = cv2.LUT(levels, self._left)
        seen_through = cv2.multiply(image, cv2.merge([left, left, left]), scale=1 / 255)
        tint = cv2.applyColorMap(levels, self._tint)  # half the time of cv2.LUT for three bands
        return np.asarray(cv2.add(seen_through, tint), dtype=np.uint8)


def lay_over(
    image: NDArray[np.uint8], heat: NDArray[np.float32], colours: Palette
) -> NDArray[np.uint8]:
    """Heat (h, w), as :meth:`Painter.levels` takes it, over an image (h, w, 3) RGB."""
    painter = Painter(colours)
    painted = painter.paint(image, painter.levels(heat))
    return image.copy() if painted is None else painted


def outlined(image: NDArray[np.uint8], area: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """An image (h, w, 3) with the border of an area (h, w) drawn: white within black."""
    rings, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(area.shape) / _HAIRS))
    drawn = image.copy()
    for colour, wide in ((0, 3 * width), (255, width)):
        cv2.drawContours(drawn, rings, -1, (colour, colour, colour), wide, cv2.LINE_AA)
    return drawn


def stretch(
    heat: NDArray[Value], cell: tuple[float, float, float], shape: tuple[int, int]
) -> NDArray[Value]:
    """Lattice cells to pixels, bilinear between cell centres, constant beyond the outermost.

    Args:
        heat: (rows, cols), float32 or uint8.
        cell: left and top of cell (0, 0) in corner coordinates of the pixels, and pixels per cell.
        shape: pixels (h, w) wanted.
    """
    left, top, size = cell
    down = _between(heat.shape[0], top, size, shape[0])
    across = _between(heat.shape[1], left, size, shape[1])
    tall, stretched = down @ heat.astype(np.float32, copy=False), np.empty(shape, np.float32)
    some = max(1, _ALONE // across.size)
    for first in range(0, shape[0], some):
        np.matmul(tall[first : first + some], across.T, out=stretched[first : first + some])
    whole = heat.dtype == np.uint8
    return np.asarray(cv2.convertScaleAbs(stretched) if whole else stretched, dtype=heat.dtype)


@lru_cache(maxsize=32)  # blocks of a layer differ from those of another in their heat alone
def _between(cells: int, start: float, size: float, pixels: int) -> NDArray[np.float32]:
    """What each pixel takes of each cell, (pixels, cells), along one axis."""
    at = np.clip((np.arange(pixels) + 0.5 - start) / size - 0.5, 0, cells - 1)
    apart = np.abs(at[:, None] - np.arange(cells))
    shares: NDArray[np.float32] = np.maximum(1 - apart, 0).astype(np.float32)
    shares.setflags(write=False)
    return shares
