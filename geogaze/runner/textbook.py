"""How textbooks show Grad-CAM in one image, for comparison with ours.

The walk is that of F. Chollet, Deep Learning with Python (2017), section 5.4.3: the image stretched
to the network's square, the map stretched over the image from border to border, divided by its
maximum, coloured by OpenCV's ``JET`` and added to the image.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SHARE = 0.4
"""Of the colours that are added to the image."""


def stretched(
    image: NDArray[Any], size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[slice, slice]]:
    """An image distorted to a square: values (bands, size, size) in 0..1, all of which are image.

    Args:
        image: (h, w, bands), uint8 or float32 0..1.
        size: the square's side, pixels.
    """
    bands = image.shape[2]
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    shown = np.asarray(small, dtype=np.float32).reshape(size, size, bands).transpose(2, 0, 1)
    values = np.asarray(
        shown / (255 if image.dtype == np.uint8 else 1), dtype=np.float32, order="C"
    )
    everywhere = slice(0, size)
    return values, np.ones((size, size), dtype=bool), (everywhere, everywhere)


def textbook_heat(evidence: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Heat (h, w) 0..1 of an image: positive evidence over its maximum, stretched.

    Of evidence that is summed over channels as of their mean: the maximum takes the difference.
    """
    positive = np.maximum(evidence, 0)
    heat = cv2.resize(positive / (positive.max() or 1), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(heat, dtype=np.float32)


def textbook_overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image (h, w, 3) RGB, with colours of heat (h, w) added to it."""
    colours = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    added = image.astype(np.float32) + _SHARE * colours
    return np.asarray(np.clip(added, 0, 255), dtype=np.uint8)
