"""What a model says of each tile of a job, and of each layer over all of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.products.facts import TOP, JobFacts


@dataclass(frozen=True)
class TileTable:
    """One entry per tile, by row and column.

    ``row``, ``col`` (n,); ``valid_fraction`` (n,) 0..1; ``top`` (n,) position of the best class,
    -1 where not looked at; ``top_probability`` (n,) and ``probabilities`` (K, n) 0..1 or NaN.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    valid_fraction: NDArray[np.float32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Standing:
    """What the model says of a layer, tile by tile.

    ``won`` is the number of tiles whose best class it is, None where the layer is no class's own
    (``ship vs harbor``); ``highest`` its highest probability, None where there is none;
    ``classes`` what the layer ``top`` is made of, class → tiles, most first.
    """

    won: int | None
    highest: float | None
    classes: dict[str, int]


def standings(job: JobFacts, table: TileTable) -> dict[str, Standing]:
    """The standing of every layer."""
    seen = table.top >= 0
    wins = np.bincount(table.top[seen], minlength=len(job.model.classes))
    if job.targets is None:
        order = [int(i) for i in np.argsort(-wins, kind="stable") if wins[i]]
        made_of = {job.model.classes[i]: int(wins[i]) for i in order}
        return {TOP: Standing(int(seen.sum()), _highest(table.top_probability[seen]), made_of)}
    return {
        layer: Standing(
            None if plus is None or minus is not None else int(wins[plus]), _highest(values), {}
        )
        for layer, (plus, minus), values in zip(
            job.layers, job.targets, table.probabilities[:, seen], strict=True
        )
    }


def _highest(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else None


def strongest(job: JobFacts, table: TileTable, count: int) -> list[int]:
    """Positions of the layers with most to show: best class of many tiles, and surely so."""
    if job.layers == (TOP,):
        return [0]
    targets = job.targets or ()
    # Where the model gives no probabilities, tiles are counted.
    probable = np.nan_to_num(table.top_probability, nan=1)
    sure = np.array(
        [0.0 if minus is not None else probable[table.top == plus].sum() for plus, minus in targets]
    )
    seen = table.top >= 0
    mean = table.probabilities[:, seen].mean(axis=1) if seen.any() else np.zeros(len(targets))
    order = np.lexsort((-mean, -sure))
    return [int(i) for i in order[:count]]
