"""Heat as colour."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.products.styles import Colormap

MAX_OPACITY = 0.75
Value = TypeVar("Value", np.float32, np.uint8)
_FULL_AT = 0.6  # heat from which the colour is as opaque as it gets
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
        self._left = np.repeat((255 * (1 - veil)).round().astype(np.uint8), 3, axis=1)[:, None]
        shows = (self._tint > 0).any(axis=(1, 2)) | (self._left < 255).any(axis=(1, 2))
        self.faintest = int(np.argmax(shows))
        """The least of 256 heats that changes a pixel."""

    def paint(self, image: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Heat (h, w), of 256, over an image (h, w, 3); None where it leaves the image as it is."""
        if not len(heat) or heat.max() < self.faintest:
            return None
        index = cv2.merge([heat, heat, heat])
        seen_through = cv2.multiply(image, cv2.LUT(index, self._left), scale=1 / 255)
        return np.asarray(cv2.add(seen_through, cv2.LUT(index, self._tint)), dtype=np.uint8)


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
    # Pixel centres to cell centres: cell = (pixel + 0.5 - left) / size - 0.5.
    across = (0.5 - left) / size - 0.5
    down = (0.5 - top) / size - 0.5
    matrix = np.array([[1 / size, 0, across], [0, 1 / size, down]])
    stretched = cv2.warpAffine(
        heat,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(stretched, dtype=heat.dtype)
