"""An image of any shape, shown whole and undistorted to a network that takes squares."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def letterbox(
    image: NDArray[Any], size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[slice, slice]]:
    """An image in the middle of a square: values (bands, size, size) in 0..1, which pixels
    (size, size) are image, and the rows and columns where it lies.

    Args:
        image: (h, w, bands), uint8 or float32 0..1.
        size: the square's side, pixels.
    """
    height, width, bands = image.shape
    shrink = size / max(height, width)
    rows, cols = max(1, round(height * shrink)), max(1, round(width * shrink))
    top, left = (size - rows) // 2, (size - cols) // 2
    inner = slice(top, top + rows), slice(left, left + cols)
    small = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
    shown = np.asarray(small, dtype=np.float32).reshape(rows, cols, bands)
    values = np.zeros((bands, size, size), dtype=np.float32)
    values[:, *inner] = shown.transpose(2, 0, 1) / (255 if image.dtype == np.uint8 else 1)
    valid = np.zeros((size, size), dtype=bool)
    valid[inner] = True
    return values, valid, inner
