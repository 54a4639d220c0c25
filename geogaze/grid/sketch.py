"""Quantiles of more numbers than memory holds: sketches of parts that are merged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_ERROR = 2.0**-14
"""Most that a quantile is off, of itself; 0 of up to :data:`_EXACT` different numbers."""

_EXACT = 65_536  # bins that a sketch may have before they become wider
_WIDEST = 9  # low bits of a float32 that are let go at most; 14 of its 23 stay


@dataclass(frozen=True)
class Sketch:
    """How many positive numbers there are in each of some bins.

    Bins are float32 patterns without their lowest ``dropped`` bits: as few as leave at most 65,536
    bins, and never more than 9. So a sketch depends on the numbers alone: parts may be merged in
    any order and grouping, and the result is the same to the bit.

    Attributes:
        dropped: low bits that are let go.
        bins: patterns (n,) uint32, rising.
        counts: of each (n,) int64.
    """

    dropped: int
    bins: NDArray[np.uint32]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> Sketch:
        """Of the positive and finite ones among some numbers, of any shape."""
        kept = values[(values > 0) & np.isfinite(values)]
        bins, counts = np.unique(kept.view(np.uint32), return_counts=True)
        return _narrowed(0, bins, counts.astype(np.int64))

    @classmethod
    def merged(cls, sketches: Sequence[Sketch]) -> Sketch:
        """Of all numbers of some sketches together."""
        dropped = max((sketch.dropped for sketch in sketches), default=0)
        bins = [sketch.bins >> np.uint32(dropped - sketch.dropped) for sketch in sketches]
        counts = [sketch.counts for sketch in sketches]
        return _narrowed(dropped, *_together(bins, counts))

    @property
    def count(self) -> int:
        """How many numbers."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The number below which a ``share`` (0..1) of them lies, as ``numpy.quantile`` has it, but
        for :data:`MAX_ERROR`; 0 of none.
        """
        if not len(self.bins):
            return 0.0
        place = (self.count - 1) * share
        ends = np.cumsum(self.counts)
        below, above = (self._ranked(rank, ends) for rank in (math.floor(place), math.ceil(place)))
        return below + (above - below) * (place - math.floor(place))

    def _ranked(self, rank: int, ends: NDArray[np.int64]) -> float:
        """The number of a rank from 0: numbers of a bin count as its middle."""
        pattern = self.bins[np.searchsorted(ends, rank, side="right")]
        edges = np.array([pattern, pattern + np.uint32(1)], dtype=np.uint32)
        if not self.dropped:
            return float(edges[:1].view(np.float32)[0])
        low, high = (edges << np.uint32(self.dropped)).view(np.float32).astype(np.float64)
        return float((low + high) / 2)


def _narrowed(dropped: int, bins: NDArray[np.uint32], counts: NDArray[np.int64]) -> Sketch:
    """With bins as narrow as their number allows."""
    while len(bins) > _EXACT and dropped < _WIDEST:
        dropped += 1
        bins, counts = _together([bins >> np.uint32(1)], [counts])
    return Sketch(dropped, bins, counts)


def _together(
    bins: Iterable[NDArray[np.uint32]], counts: Iterable[NDArray[np.int64]]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Counts of the same bins added up."""
    every = np.concatenate([np.empty(0, np.uint32), *bins])
    merged, at = np.unique(every, return_inverse=True)
    total = np.zeros(len(merged), dtype=np.int64)
    np.add.at(total, at, np.concatenate([np.empty(0, np.int64), *counts]))
    return merged, total
