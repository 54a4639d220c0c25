"""Which values of each band become 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import SceneUnusable

_PERCENTILES = (2.0, 98.0)

Ranges = tuple[tuple[float, float], ...]
"""Of each band, the values (low, high) that become 0 and 1."""


def given_ranges(rescale: Sequence[tuple[float, float]], bands: int) -> Ranges:
    """Ranges that a user gave, one for all bands or one for each of so many.

    Raises:
        SceneUnusable: they are of another number, empty, reversed or too wide.
    """
    if len(rescale) not in {1, bands}:
        raise SceneUnusable(
            f"{len(rescale)} rescale ranges for {bands} bands: give one, or one for each."
        )
    for low, high in rescale:
        if not low < high:
            raise SceneUnusable(f"The rescale range {low},{high} is empty or reversed.")
        if not math.isfinite(high - low):
            raise SceneUnusable(f"The rescale range {low},{high} is too wide to compute with.")
    ranges = tuple(rescale) if len(rescale) == bands else tuple(rescale) * bands
    return tuple((float(low), float(high)) for low, high in ranges)


def percentile_ranges(
    uri: str, bands: Sequence[int], samples: Sequence[NDArray[Any]]
) -> tuple[Ranges, list[str]]:
    """The range of each band by a sample of its own valid values, and what is odd of a band.

    Args:
        uri: the scene.
        bands: their numbers, from 1.
        samples: valid values of each, one array (n,) per band.

    Raises:
        SceneUnusable: a band reaches too far to compute with.
    """
    warnings: list[str] = []
    ranges: list[tuple[float, float]] = []
    for band, values in zip(bands, samples, strict=True):
        if not len(values):
            warnings.append(f"Band {band} has no valid value that was found: it is shown as mean.")
            ranges.append((0.0, 1.0))
            continue
        low, high = map(float, np.percentile(values.astype(np.float64), _PERCENTILES))
        if not low < high:
            high = low + max(1.0, abs(low) * 1e-6)
            warnings.append(
                f"Band {band} is {low:g} nearly everywhere, so there is little to see in it."
            )
        elif not math.isfinite(high - low):
            raise SceneUnusable(
                f"Band {band} of {uri!r} reaches from {low:g} to {high:g}, too far to "
                "compute with. Say which values matter: --rescale LO,HI."
            )
        ranges.append((low, high))
    return tuple(ranges), warnings
