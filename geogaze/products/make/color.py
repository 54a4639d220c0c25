"""Heat as colour."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.products.styles import Colormap

MAX_OPACITY = 0.75
Value = TypeVar("Value", np.float32, np.uint8)
_FULL_AT = 0.6  # heat from which the colour is as opaque as it gets
_ALONE = 2**18
"""Multiplications that OpenBLAS does without its threads, which would wait for each other here:
several blocks are drawn at once.
"""
_MAPS: dict[Colormap, int] = {
    "turbo": cv2.COLORMAP_TURBO,
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
}


def colormap(name: Colormap = "turbo") -> NDArray[np.uint8]:
    """The colours (256, 3) RGB of heat 0..1: one of OpenCV's maps without its darkest ends."""
    ramp = np.linspace(40, 245, 256).round().astype(np.uint8)
    colours = cv2.applyColorMap(ramp[:, None], _MAPS[name])[:, 0, ::-1]
    return np.ascontiguousarray(colours)


def opacity(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Opacity 0..MAX_OPACITY of heat 0..1: what is cold stays clear, so the image shows."""
    level = np.clip(heat / _FULL_AT, 0, 1)
    smooth: NDArray[np.float32] = level * level * (3 - 2 * level) * np.float32(MAX_OPACITY)
    return smooth


class Painter:
    """Lays heat over images, in whole numbers: what each of 256 heats does to a pixel is looked up.

    Args:
        name: of the colour map.
        bgr: whether images have blue first, as OpenCV encodes them.
    """

    def __init__(self, name: Colormap = "turbo", *, bgr: bool = False) -> None:
        veil = opacity(np.linspace(0, 1, 256, dtype=np.float32))[:, None]
        colours = colormap(name)[:, ::-1] if bgr else colormap(name)
        self._tint = (colours * veil).round().astype(np.uint8)[:, None]
        self._left = (255 * (1 - veil)).round().astype(np.uint8)
        shows = (self._tint > 0).any(axis=(1, 2)) | (self._left < 255).any(axis=1)
        self.faintest = int(np.argmax(shows))
        """The least of 256 heats that changes a pixel."""

    def paint(self, image: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Heat (h, w), of 256, over an image (h, w, 3); None where it leaves the image as it is."""
        if not len(heat) or heat.max() < self.faintest:
            return None
        left = cv2.LUT(heat, self._left)
        seen_through = cv2.multiply(image, cv2.merge([left, left, left]), scale=1 / 255)
        tint = cv2.LUT(cv2.merge([heat, heat, heat]), self._tint)
        return np.asarray(cv2.add(seen_through, tint), dtype=np.uint8)


def lay_over(
    image: NDArray[np.uint8], heat: NDArray[np.float32], colours: Colormap = "turbo"
) -> NDArray[np.uint8]:
    """Heat (h, w) in 0..1 or NaN over an image (h, w, 3) RGB."""
    painted = Painter(colours).paint(image, in_bytes(heat))
    return image.copy() if painted is None else painted


def in_bytes(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Heat in 0..1 or NaN as 0..255; NaN becomes 0, and what lies beyond is cut."""
    level = np.clip(np.nan_to_num(heat, nan=0.0), 0, 1)
    return np.asarray(cv2.convertScaleAbs(level, alpha=255), dtype=np.uint8)


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
