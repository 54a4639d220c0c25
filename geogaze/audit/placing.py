"""Where a class's evidence lies on the map, beside what would lie so anyway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from geogaze.audit.balance import Floats
from geogaze.audit.intervals import Figure, interval
from geogaze.audit.localisation import (
    chance_of_hit,
    denser,
    energy_inside,
    enrichment,
    hits,
    shifted,
)
from geogaze.audit.measuring import Measured
from geogaze.audit.samples import Samples

_SHIFTS = 200
_WIDTH = 0.25  # of a tile: sigma of the pointer to the middle


@dataclass(frozen=True)
class Placed:
    """Figures of where evidence lies, each with what else would give it.

    Attributes:
        enrichment: evidence per area on objects over that beside them, median of scenes; and by
            what it is compared with.
        by_chance: share of scenes whose objects, moved at random, do as well in 5 % of all moves.
        energy: share of positive evidence on objects in tiles that show and are called one.
        area: the objects' share of those tiles.
        pointing: hits of the pointing game on the same tiles; and by what it is compared with.
        large: share of those tiles of which objects cover over half: there, no figure of place
            means anything (arXiv:2507.05916).
    """

    enrichment: Figure
    enrichment_of: dict[str, Figure]
    by_chance: float | None
    energy: Figure
    area: Figure
    pointing: Figure
    pointing_of: dict[str, Figure]
    large: float
    random_scenes: int = field(default=0)


def placed(
    sites: Sequence[Measured],
    target: int,
    samples: Samples,
    randomised: dict[int, Floats],
    seed: int = 0,
) -> Placed:
    """Measure where the evidence of a class lies.

    Args:
        sites: the scenes.
        target: position of the class that the objects are.
        samples: the tiles of all scenes.
        randomised: evidence (n, g, g) of a network without training, by scene.
        seed: of what is drawn.
    """
    right = samples.right
    evidence, cells, edges = (
        np.concatenate(parts)[right]
        for parts in (
            [site.evidence for site in sites],
            [site.cells for site in sites],
            [site.edges for site in sites],
        )
    )
    groups, area = samples.groups[right], samples.area[right]

    def over(statistic: Callable[[np.ndarray], float | None]) -> Figure:
        return interval(groups, statistic, seed)

    hit, chance, by_edges = hits(evidence, cells), chance_of_hit(cells), hits(edges, cells)
    enriched, of, by_chance = _enriched(sites, target, randomised, seed)
    return Placed(
        enrichment=enriched,
        enrichment_of=of,
        by_chance=by_chance,
        energy=over(lambda rows: energy_inside(evidence[rows], cells[rows])),
        area=over(lambda rows: float(cells[rows].mean())),
        pointing=over(lambda rows: float(hit[rows].mean())),
        pointing_of={
            "chance": over(lambda rows: float(chance[rows].mean())),
            "contrast of pixels": over(lambda rows: float(by_edges[rows].mean())),
        },
        large=float((area > 0.5).mean()) if len(area) else 0.0,
        random_scenes=len(randomised),
    )


def _enriched(
    sites: Sequence[Measured],
    target: int,
    randomised: dict[int, Floats],
    seed: int,
) -> tuple[Figure, dict[str, Figure], float | None]:
    """Of scenes: enrichment, that of baselines, and in how many of them chance does as well."""
    real: list[float | None] = []
    found: dict[str, list[float | None]] = {}
    beaten = []
    rng = np.random.default_rng(seed)
    for number, site in enumerate(sites):
        area = site.whole(site.cells)
        lattice, known = site.whole(site.evidence), site.known
        value = enrichment(lattice, area, known)
        real.append(value)
        by_shift = shifted(lattice, area, rng, _SHIFTS, known) if value is not None else np.empty(0)
        if len(by_shift):
            beaten.append(value is not None and (by_shift >= value).mean() < 0.05)
        inside, cells = float(site.cells.sum()), float(site.cells.size)
        others = [
            denser(float(on), float(beside), inside, cells - inside)
            for k, (on, beside) in enumerate(site.others.sum(axis=0))
            if k != target
        ]
        values = {
            "objects moved at random": float(np.median(by_shift)) if len(by_shift) else None,
            "another class's evidence": _median(others),
            "contrast of pixels": enrichment(site.whole(site.edges), area, known),
            "middle of each tile": enrichment(site.whole(_middle(site.cells)), area, known),
            "uniform": 1.0 if value is not None else None,
        }
        if number in randomised:
            values["random weights"] = enrichment(site.whole(randomised[number]), area, known)
        for name, one in values.items():
            found.setdefault(name, []).append(one)
    of = {name: _over_scenes(values, seed) for name, values in found.items()}
    return _over_scenes(real, seed), of, float(1 - np.mean(beaten)) if beaten else None


def _over_scenes(values: Sequence[float | None], seed: int) -> Figure:
    known = np.array([value for value in values if value is not None])
    return interval(np.arange(len(known)), lambda rows: float(np.median(known[rows])), seed)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _middle(like: Floats) -> Floats:
    """A pointer to the middle of each tile, of the shape of (n, g, g)."""
    g = like.shape[-1]
    away = (np.arange(g) - (g - 1) / 2) / (g * _WIDTH)
    return np.broadcast_to(np.exp(-(away[:, None] ** 2 + away**2) / 2), like.shape)
