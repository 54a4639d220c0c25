"""From a scene's values to the 0..1 that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def unit_range(values: NDArray[Any], rescale: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Scene values to 0..1, cut at the rescale range.

    Subtracted in float64: near 4e9 neighbouring integers are one number in float32.

    Args:
        values: (bands, h, w), any real dtype.
        rescale: values that become 0 and 1: one pair, or one for each band.

    Returns:
        (bands, h, w); 0 where a value is not a number.
    """
    unit = np.empty(values.shape, dtype=np.float32)
    ranges = tuple(rescale) * len(values) if len(rescale) == 1 else rescale
    for band, (low, high) in enumerate(ranges):
        known = np.clip(values[band].astype(np.float64), low, high)
        known -= low
        with np.errstate(over="ignore"):  # of a range narrower than 1e-308: cut below
            known /= high - low
        unit[band] = np.nan_to_num(np.minimum(known, 1))
    return unit
