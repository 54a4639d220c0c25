"""Learning how long work takes from work that was done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

_FOR_EACH_MORE = 0.02  # mean error, relative, that a further measure has to explain
_SINGULAR = 1e-9


def learn(amounts: Sequence[Sequence[float]], seconds: Sequence[float]) -> tuple[float, ...]:
    """Seconds for one of each measure of the work.

    None is negative, and as few measures as explain what was seen have any: those named first, and
    never more than there are examples. Errors are relative, so that short examples count as long
    ones do, and absolute, not squared: an example that was held up draws the others nowhere.

    Args:
        amounts: (examples, measures) of work, none negative.
        seconds: what each example took.

    Returns:
        (measures,); all 0 where nothing was seen.
    """
    rows = [(row, took) for row, took in zip(amounts, seconds, strict=True) if took > 0]
    if not rows:
        return (0.0,) * (len(amounts[0]) if amounts else 0)
    scaled = np.array([[amount / took for amount in row] for row, took in rows])
    count = scaled.shape[1]
    best, least = np.zeros(count), 1.0  # nothing foreseen is wrong by all of it
    for size in range(1, min(count, len(rows)) + 1):
        # What is nearest by absolute errors goes through as many examples as it has measures.
        exact = np.array(list(combinations(range(len(rows)), size)))
        for chosen in combinations(range(count), size):
            some = scaled[:, chosen]
            square = some[exact]
            sound = np.abs(np.linalg.det(square)) > _SINGULAR * np.abs(square).max() ** size
            if not sound.any():
                continue
            rates = np.linalg.solve(square[sound], np.ones((sound.sum(), size, 1)))[..., 0]
            errors = np.abs(some @ rates.T - 1).mean(axis=0) + _FOR_EACH_MORE * (size - 1)
            errors[rates.min(axis=1) < 0] = np.inf
            nearest = int(errors.argmin())
            if errors[nearest] < least - 1e-9:
                best, least = np.zeros(count), float(errors[nearest])
                best[list(chosen)] = rates[nearest]
    return tuple(map(float, best))
