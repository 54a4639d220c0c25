"""Statistics of a layer's values, by rio-tiler's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, float | list[list[float]]]
"""``min``, ``max``, ``mean``, ``std``, ``median``, ``percentile_2``, ``percentile_98``, ``sum``,
``count`` (of cells), ``valid_percent``, and ``histogram`` (counts, and the edges between them).
``count`` and ``valid_percent`` alone where no cell was looked at.
"""

_BINS = 10
_PERCENTILES = (2, 50, 98)


def statistics_of(cells: NDArray[np.float32]) -> Statistics:
    """Of all cells (rows, cols) that were looked at; others are NaN."""
    known = cells[np.isfinite(cells)]
    if not known.size:
        return _of_none()
    counts, edges = np.histogram(known, _BINS)
    return {
        "min": float(known.min()),
        "max": float(known.max()),
        "mean": float(np.mean(known, dtype=np.float64)),
        "std": float(np.std(known, dtype=np.float64)),
        "count": known.size,
        "sum": float(np.sum(known, dtype=np.float64)),
        "valid_percent": round(100 * known.size / cells.size, 2),
        "histogram": [counts.tolist(), edges.tolist()],
        # In place, as layers may be as large as memory allows.
        **_named(np.percentile(known, _PERCENTILES, overwrite_input=True)),
    }


def weighted_statistics(
    known: NDArray[np.float32], weights: NDArray[np.float64], whole: float
) -> Statistics:
    """Of cells that count by their weights.

    Args:
        known: values (n,) of cells that were looked at.
        weights: theirs (n,), above 0.
        whole: the sum of the weights of all cells, looked at or not.
    """
    if not known.size:
        return _of_none()
    count, total = float(weights.sum()), float(known @ weights)
    mean = total / count
    counts, edges = np.histogram(known, _BINS, weights=weights)
    return {
        "min": float(known.min()),
        "max": float(known.max()),
        "mean": mean,
        "std": float(np.sqrt(((known - mean) ** 2 @ weights) / count)),
        "count": count,
        "sum": total,
        "valid_percent": round(100 * count / whole, 2),
        "histogram": [counts.tolist(), edges.tolist()],
        **_named(np.percentile(known, _PERCENTILES, weights=weights, method="inverted_cdf")),
    }


def _of_none() -> Statistics:
    return {"count": 0, "valid_percent": 0.0}


def _named(percentiles: NDArray[np.floating[Any]]) -> dict[str, float]:
    low, median, high = map(float, percentiles)
    return {
        "median": median,
        f"percentile_{_PERCENTILES[0]}": low,
        f"percentile_{_PERCENTILES[2]}": high,
    }
