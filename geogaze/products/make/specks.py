"""Heat of single pixels, for eyes: as it is, it is specks that nobody sees.

Methods per pixel give a few pixels most of what there is. What is drawn is twice the mean of a
pixel's neighbourhood, weighed by distance: twice, as the mean of so uneven a thing is far below its
scale. What is measured stays as it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 8
"""Pixels around what is drawn that it depends on."""

_WIDTH = 2.5  # standard deviation of the weights, pixels
_GAIN = 2
_HIGHEST = 0.999  # share of positive values that the scale of a single image leaves below


def softened(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heat (h, w) in 0..1, or -1..1, as it is drawn; what is NaN stays so."""
    known = np.isfinite(heat)
    sums, shares = (
        cv2.GaussianBlur(
            values,
            (2 * REACH + 1, 2 * REACH + 1),
            _WIDTH,
            borderType=cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED,
        )
        for values in (np.clip(np.where(known, heat, 0), -1, 1), known.astype(np.float32))
    )
    means = np.divide(sums, shares, out=np.full_like(heat, np.nan), where=known)
    return np.asarray(np.clip(_GAIN * means, -1, 1), dtype=np.float32)


def softened_alone(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evidence (h, w) of pixels of a single image as its positive part is drawn, 0..1."""
    positive = evidence[evidence > 0]
    scale = np.quantile(positive, _HIGHEST) if positive.size else 1.0
    return softened((np.maximum(evidence, 0) / scale).astype(np.float32))
