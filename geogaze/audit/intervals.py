"""How sure a figure is: intervals by drawing whole groups of tiles again. Pure.

Tiles of a scene are no independent witnesses, so scenes are drawn, or blocks of a scene where
there are few (Efron 1979; Roberts et al. 2017 on spatial blocks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS = 1000
_ENDS = (2.5, 97.5)


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; all None where there is nothing to tell it from."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interval(
    groups: NDArray[np.int64],
    statistic: Callable[[NDArray[np.int64]], float | None],
    seed: int = 0,
) -> Figure:
    """A statistic of some rows, and how it varies as groups of them are drawn again.

    Args:
        groups: (n,), the group that each row belongs to.
        statistic: takes positions of rows, some of them more than once; None where it has no value.
        seed: of the draws.

    Returns:
        The value alone where there are fewer than two groups.
    """
    rows = np.arange(len(groups))
    value = statistic(rows) if len(rows) else None
    members = [rows[groups == group] for group in np.unique(groups)]
    if value is None or len(members) < 2:
        return Figure(value)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_DRAWS):
        chosen = rng.integers(0, len(members), len(members))
        found = statistic(np.concatenate([members[i] for i in chosen]))
        if found is not None:
            drawn.append(found)
    if len(drawn) < _DRAWS // 2:
        return Figure(value)
    low, high = np.percentile(drawn, _ENDS)
    return Figure(value, float(low), float(high))
