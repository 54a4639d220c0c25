"""Accounts of all scenes: means by sort of tile, and what changes cost, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.audit.balance import Floats
from geogaze.audit.causing import Effects
from geogaze.audit.intervals import Figure, interval
from geogaze.audit.localisation import spearman
from geogaze.audit.measuring import Measured
from geogaze.audit.samples import Samples, groups_of
from geogaze.audit.sites import FAR_METRES
from geogaze.audit.verdict import Grounds


@dataclass(frozen=True)
class Sheet:
    """Means over tiles of one sort, in logits: a balance sheet.

    ``kinds`` are evidence by what lies under it, which with the bias add up to ``logit``; ``areas``
    the share of the tiles that is of each kind; ``above`` the same evidence above that of ground
    without objects.
    """

    tiles: int
    logit: float
    kinds: dict[str, float]
    areas: dict[str, float]
    above: dict[str, float]


@dataclass(frozen=True)
class Causal:
    """What changing the world does to recognised tiles; see :class:`Effects` for the terms.

    ``lost`` and ``lost_filled`` are R by two ways of taking the object out, ``alone`` the share of
    the rise that the object keeps among other surroundings. ``stays`` is the share of tiles that
    are still called the class without it. ``forecast`` is the rank correlation, over all changed
    tiles, of evidence above ground on the object with the logit lost; ``rivals`` those of simpler
    forecasts. ``relies`` are the shares of the rise that go with texture, shape and colour;
    ``keeps`` of each cue of the whole picture the share of tiles that are still called the class.
    """

    tiles: int
    rise: Figure
    drop: Figure
    control: Figure
    lost: Figure
    lost_filled: Figure
    alone: Figure
    stays: Figure
    forecast: Figure
    rivals: dict[str, Figure]
    relies: dict[str, Figure]
    keeps: dict[str, Figure]
    grounds: Grounds


def sheets(
    sites: Sequence[Measured],
    target: int,
    kinds: Sequence[str],
    samples: Samples,
) -> dict[str, Sheet]:
    """The balance sheet of each sort of tile there is."""
    logits = np.concatenate([site.logits[:, target] for site in sites])
    by_kind = np.concatenate([site.by_kind for site in sites])
    areas = np.concatenate([site.kind_area for site in sites])
    level = np.concatenate(
        [np.full(len(site.area), found) for site, found in zip(sites, _levels(sites), strict=True)]
    )
    above = by_kind - level[:, None] * areas
    return {
        sort: Sheet(
            int(which.sum()),
            float(logits[which].mean()),
            *(
                dict(zip(kinds, map(float, values[which].mean(axis=0)), strict=True))
                for values in (by_kind, areas, above)
            ),
        )
        for sort, which in samples.sorts.items()
        if which.any()
    }


def _levels(sites: Sequence[Measured]) -> list[float]:
    """What a cell of each scene says where there is no object: in logits, of a whole tile of them.
    A scene without such ground has that of all; without any, nothing is above ground but itself.
    """
    grounds = [site.evidence[site.empty] for site in sites]
    every = np.concatenate(grounds)
    common = float(every.mean()) if len(every) else 0.0
    return [float(ground.mean()) if len(ground) else common for ground in grounds]


def distances(sites: Sequence[Measured], which: NDArray[np.bool_]) -> dict[str, float]:
    """Mean evidence of some tiles by metres from objects, in logits."""
    names = ["on objects"]
    names += [
        f"{low:g} to {high:g} m"
        for low, high in zip((0.0, *FAR_METRES[:-1]), FAR_METRES, strict=True)
    ]
    names.append(f"over {FAR_METRES[-1]:g} m")
    found = np.concatenate([site.by_distance for site in sites])[which]
    means = found.mean(axis=0) if len(found) else np.zeros(len(names))
    return dict(zip(names, map(float, means), strict=True))


def caused(sites: Sequence[Measured], effects: Sequence[Effects | None], seed: int = 0) -> Causal:
    """What changing the world did, over all scenes; the verdict's grounds among it."""
    known = [(site, effect) for site, effect in zip(sites, effects, strict=True) if effect]
    if not known:
        return _nothing()
    groups = groups_of([site for site, _ in known], [effect.places for _, effect in known])

    def column(name: str) -> Floats:
        return np.concatenate([getattr(effect, name) for _, effect in known])

    seen = column("recognised").astype(bool)
    logit, ground, area = column("logit"), column("ground"), column("area")
    rise, drop = logit - ground, logit - column("without")
    filled, control = logit - column("filled"), logit - column("control")
    alone, stays, forecast = column("alone") - ground, column("stays"), column("forecast")

    def mean(values: Floats) -> Figure:
        return _over(seen, groups, lambda rows: float(values[rows].mean()), seed)

    def share(values: Floats) -> Figure:
        def of(rows: NDArray[np.int64]) -> float | None:
            whole = float(rise[rows].mean())
            return float(values[rows].mean()) / whole if whole > 0 else None

        return _over(seen, groups, of, seed)

    def ranked(values: Floats) -> Figure:
        every = np.ones_like(seen)
        return _over(every, groups, lambda rows: spearman(values[rows], drop[rows]), seed)

    lost, lost_filled = share(drop), share(filled)
    rises, drops, controls = mean(rise), mean(drop), mean(control)
    weights = [len(effect.logit) for _, effect in known]
    level = max(rises.value or 0.0, 1e-9)
    probes = {
        cue: float(np.average([effect.probes[cue] for _, effect in known], weights=weights)) / level
        for cue in known[0][1].probes
    }
    gained, keeps = column("dressed") - logit[:, None], column("keeps").astype(np.float64)
    relies = {
        what: share(rise - np.concatenate([effect.suppressed[what] for _, effect in known]))
        for what in known[0][1].suppressed
    }
    grounds = Grounds(
        tiles=int(seen.sum()),
        groups=len(np.unique(groups[seen])),
        rise=rises.value or 0.0,
        drop=drops.value or 0.0,
        control=controls.value or 0.0,
        lost=lost,
        lost_filled=lost_filled,
        probes=probes,
        on_objects={
            cue: float(values[seen].mean()) / level if seen.any() else 0.0
            for cue, values in zip(probes, gained.T, strict=True)
        },
    )
    return Causal(
        tiles=int(seen.sum()),
        rise=rises,
        drop=drops,
        control=controls,
        lost=lost,
        lost_filled=lost_filled,
        alone=share(alone),
        stays=mean(stays),
        forecast=ranked(forecast),
        rivals={"logit": ranked(logit), "area": ranked(area)},
        relies=relies,
        keeps={cue: mean(values) for cue, values in zip(probes, keeps.T, strict=True)},
        grounds=grounds,
    )


def _nothing() -> Causal:
    """Of scenes without a tile to change, or without ground."""
    none = Figure(None)
    grounds = Grounds(0, 0, 0.0, 0.0, 0.0, none, none, {}, {})
    return Causal(0, none, none, none, none, none, none, none, none, {}, {}, {}, grounds)


def _over(
    which: NDArray[np.bool_],
    groups: NDArray[np.int64],
    statistic: Callable[[NDArray[np.int64]], float | None],
    seed: int,
) -> Figure:
    """A statistic of some rows with its interval."""
    rows = np.flatnonzero(which)
    return interval(groups[rows], lambda drawn: statistic(rows[drawn]), seed)
