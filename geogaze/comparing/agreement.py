"""How far two layers agree, cell by cell: figures that are counted block by block. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Changed:
    """Areas of the cells of a block whose heat is ``appeared`` or ``vanished``, m²."""

    appeared: float
    vanished: float


class Agreement:
    """Figures of two layers of heat, over the cells that both looked at.

    Args:
        level: heat from which on a cell is hot.
    """

    def __init__(self, level: float) -> None:
        self.level = level
        self.cells = 0
        self._means = np.zeros(2)
        self._squares = np.zeros((2, 2))  # sums of products of what is off the means
        self._absolute = 0.0
        self._hot = np.zeros(2, dtype=np.int64)  # in both, and in either
        self._appeared = self._vanished = 0.0

    def add(self, a: NDArray[np.float32], b: NDArray[np.float32], changed: Changed) -> None:
        """Count a block (h, w) of both; NaN in either is left out.

        Each block is joined to those before (Chan, Golub and LeVeque 1979).
        """
        both = np.isfinite(a) & np.isfinite(b)
        self._appeared += changed.appeared
        self._vanished += changed.vanished
        pair = np.stack([a[both], b[both]]).astype(np.float64)
        count = pair.shape[1]
        if not count:
            return
        together = self.cells + count
        off = pair.mean(axis=1) - self._means
        around = pair - pair.mean(axis=1, keepdims=True)
        self._squares += around @ around.T + np.outer(off, off) * self.cells * count / together
        self._means += off * count / together
        self.cells = together
        self._absolute += float(np.abs(pair[1] - pair[0]).sum())
        hot = pair >= self.level
        self._hot += [int(hot.all(axis=0).sum()), int(hot.any(axis=0).sum())]

    def told(self) -> dict[str, Any]:
        """The figures by name; None where there is none (of a layer that is the same everywhere,
        or has nothing hot).
        """
        spread = math.sqrt(self._squares[0, 0] * self._squares[1, 1])
        hot_in_both, hot = (int(count) for count in self._hot)
        return {
            "cells": self.cells,
            "correlation": float(self._squares[0, 1] / spread) if spread else None,
            "mean_difference": float(self._means[1] - self._means[0]),
            "mean_absolute_difference": self._absolute / self.cells if self.cells else None,
            "hot_overlap": hot_in_both / hot if hot else None,
            "changed_area_m2": self._appeared + self._vanished,
            "appeared_area_m2": self._appeared,
            "vanished_area_m2": self._vanished,
        }
