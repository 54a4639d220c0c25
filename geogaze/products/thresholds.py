"""From which heat on a cell is hot: a value, or one that follows from a layer's own heat. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from geogaze.errors import InvalidRequest

if TYPE_CHECKING:  # help and requests name thresholds without NumPy
    import numpy as np
    from numpy.typing import NDArray

OTSU = "otsu"
DEFAULT_THRESHOLD = 0.5
LEAST = 1e-6
"""The lowest threshold: nothing is not hot."""

PATTERN = r"^(otsu|q0?\.\d*[1-9]\d*)$"
"""How a threshold is written that is no number."""

_BINS = 256  # of the histogram that Otsu's method looks at, as the textbook has it

Threshold = float | str
"""A number, ``otsu``, or ``q0.99``: the hottest hundredth of what was looked at."""


def threshold_of(text: str) -> Threshold:
    """A threshold as a user writes it.

    Raises:
        InvalidRequest: it is no threshold.
    """
    word = text.strip().lower()
    if re.fullmatch(PATTERN, word):
        return word
    try:
        level = float(word)
    except ValueError:
        level = math.nan
    if not (math.isfinite(level) and level >= LEAST):
        raise InvalidRequest(
            f"A threshold is a number above 0 such as 0.5, otsu, or a quantile such as q0.99, not "
            f"{text!r}."
        )
    return level


def otsu(counts: NDArray[np.int64]) -> int:
    """The last bin of the lower class, where two classes of a histogram lie farthest apart.

    After Otsu 1979: the variance between both classes is the greatest.

    Args:
        counts: (n,) of each bin.
    """
    import numpy as np

    below = np.cumsum(counts, dtype=np.float64)
    above = below[-1] - below
    total = np.cumsum(counts * np.arange(len(counts)), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = total / below - (total[-1] - total) / above
        between = np.nan_to_num(below * above * apart**2, nan=0.0)
    return int(np.argmax(between))


def level_of(threshold: Threshold, peak: float, blocks: Iterable[NDArray[np.float32]]) -> float:
    """The heat from which on a layer's cells are hot.

    Args:
        threshold: what was asked for.
        peak: the highest heat of the layer, or as high as its histogram is to go.
        blocks: all of its cells, NaN where nobody looked; read only where it follows from them.

    Returns:
        The level; infinite where the layer has no positive heat. Quantiles are of all looked-at
        cells, but never below the lowest positive one, and exact to a 16,000th of themselves.
    """
    import numpy as np

    from geogaze.grid.sketch import Sketch

    if isinstance(threshold, float):
        return threshold
    if not peak > 0:
        return math.inf
    if threshold == OTSU:
        counts = np.zeros(_BINS, dtype=np.int64)
        for values in blocks:
            seen = np.clip(values[np.isfinite(values)], 0, peak)
            counts += np.histogram(seen, _BINS, (0, peak))[0]
        return (otsu(counts) + 1) * peak / _BINS
    cells, sketch = 0, Sketch.merged([])
    for values in blocks:
        cells += int(np.isfinite(values).sum())
        sketch = Sketch.merged([sketch, Sketch.of(values)])
    dark = cells - sketch.count
    place = (cells - 1) * float(threshold[1:]) - dark  # of the quantile, among positive cells
    return sketch.quantile(max(0.0, place) / max(1, sketch.count - 1))
