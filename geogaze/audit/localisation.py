"""Where evidence lies, against where objects are; and what else would lie so. Pure.

Enrichment and the pointing game (Zhang et al. 2018, arXiv:1608.00507) are measured beside
baselines, since an edge filter points well too: by themselves they prove little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geogaze.audit.balance import Floats

_AREA_HIT = 0.1  # share of a cell that an object covers
_LEAST = 1e-12


def enrichment(evidence: Floats, area: Floats, known: Floats | float = 1.0) -> float | None:
    """Positive evidence per area on objects, over that beside them.

    Args:
        evidence: signed, of cells, any shape.
        area: of the same shape: the share of each cell that objects cover.
        known: likewise, 1 where cells were looked at, else 0: such are no ground.

    Returns:
        1 where evidence does not care; None without objects, without ground or without evidence.
    """
    positive = np.maximum(evidence, 0) * known
    on, beside = float((positive * area).sum()), float((positive * (1 - area)).sum())
    return denser(on, beside, float((known * area).sum()), float((known * (1 - area)).sum()))


def denser(on: float, beside: float, inside: float, outside: float) -> float | None:
    """Enrichment by its sums: evidence on objects and beside them, cells inside and outside."""
    if inside < _LEAST or outside < _LEAST or on + beside < _LEAST:
        return None
    return on / inside / max(beside / outside, _LEAST)


def on_and_beside(evidence: Floats, area: Floats) -> Floats:
    """Positive evidence of tiles (n, classes, g, g) on objects that cover (n, g, g) of the cells,
    and beside them: sums (n, classes, 2).
    """
    positive = np.maximum(evidence, 0)
    whole, on = positive.sum(axis=(2, 3)), np.einsum("nkyx,nyx->nk", positive, area)
    return np.stack([on, whole - on], axis=2)


def energy_inside(evidence: Floats, area: Floats) -> float | None:
    """Share of the positive evidence that lies on objects; None where there is no evidence.

    Args:
        evidence: signed, of cells, any shape.
        area: of the same shape, 0..1.
    """
    positive = np.maximum(evidence, 0)
    total = positive.sum()
    return float((positive * area).sum() / total) if total > _LEAST else None


def hits(evidence: Floats, area: Floats) -> NDArray[np.bool_]:
    """The pointing game: whether the strongest cell lies on an object, one cell of tolerance.

    A map without positive evidence points nowhere, which is no hit.

    Args:
        evidence: (n, g, g).
        area: (n, g, g), 0..1.

    Returns:
        (n,).
    """
    count, cells = len(evidence), evidence.shape[-1] ** 2
    strongest = evidence.reshape(count, cells).argmax(axis=1)
    near = _near(area > _AREA_HIT).reshape(count, cells)
    points = evidence.reshape(count, cells).max(axis=1) > 0
    return np.asarray(near[np.arange(count), strongest] & points)


def chance_of_hit(area: Floats) -> Floats:
    """The pointing game of a blind pointer: the share of cells (n,) that are hits."""
    chances: Floats = _near(area > _AREA_HIT).mean(axis=(1, 2))
    return chances


def _near(objects: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of (n, g, g) that are, or touch, one that is."""
    padded = np.pad(objects, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
    return rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]


def shifted(
    evidence: Floats,
    area: Floats,
    rng: np.random.Generator,
    draws: int,
    known: Floats | float = 1.0,
) -> NDArray[np.float64]:
    """Enrichment by chance: the objects moved over the scene as they lie to each other.

    Args:
        evidence: (rows, cols) of a scene's cells.
        area: (rows, cols), 0..1.
        rng: where to.
        draws: how often.
        known: as for :func:`enrichment`; what is moved to where nobody looked does not count.

    Returns:
        (draws,), those without a value left out.
    """
    rows, cols = area.shape
    found = []
    for _ in range(draws):
        by = int(rng.integers(1, max(2, rows))), int(rng.integers(1, max(2, cols)))
        found.append(enrichment(evidence, np.roll(area, by, (0, 1)), known))
    return np.array([value for value in found if value is not None])


def spearman(one: Floats, other: Floats) -> float | None:
    """Rank correlation, ties by their mean rank; None for fewer than 3 pairs or a constant."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
