"""What a model says of each tile of a job, and of each layer over all of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.rectangles import Division, Rectangle
from geogaze.models.bundles import Rule
from geogaze.models.targets import least
from geogaze.products.facts import TOP, JobFacts


@dataclass(frozen=True)
class TileTable:
    """One entry per tile, by row and column.

    ``row``, ``col`` (n,); ``valid_fraction`` (n,) 0..1; ``top`` (n,) position of the best class,
    -1 where not looked at; ``top_probability`` (n,) and ``probabilities`` (K, n) 0..1 or NaN;
    ``nowhere`` (layers, n) in logits or NaN, what tokens on no place give to each layer's score,
    None where the network has none.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    valid_fraction: NDArray[np.float32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    nowhere: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Tiles:
    """All tiles of a job, read when they are asked for: there may be more than fit in memory.

    ``kept`` says how many there are and in which squares they are kept; ``read`` gives those of a
    rectangle of them, row by row. ``told_nowhere`` is whether tables tell what lies on no place.
    """

    kept: Division
    read: Callable[[Rectangle], TileTable]
    told_nowhere: bool = False

    def slabs(self, most: int) -> Iterator[Rectangle]:
        """All tiles in rectangles of at most ``most``, which follow each other row by row.

        Where rows of squares fit, they are whole, so that each square is read once.
        """
        rows, cols, side = self.kept.rows, self.kept.cols, self.kept.side
        down = most // cols
        if down > side:
            down -= down % side
        across = cols if down else most
        for row in range(0, rows, down or 1):
            for col in range(0, cols, across):
                yield row, col, min(row + (down or 1), rows), min(col + across, cols)


class Tally:
    """What a model says of all tiles of a job, counted some tiles at a time, in any order.

    Where classes are right each by itself, or are of some of its pixels, a tile counts only for
    those that are present in it: for several, or none.

    Attributes:
        seen: how many were looked at.
        wins: (classes,) of how many each class is the best.
        surest: (classes,) the highest probability it is the best with; NaN where none is known.
        sure: (classes,) the sum of these, 1 for those that are not known.
        present: (K,) of how many tiles each layer is at least as probable as what is present.
        surely: (K,) the sum of its probabilities there.
        highest: (K,) the highest probability of each layer, NaN where none is known.
    """

    def __init__(self, job: JobFacts) -> None:
        classes, layers = len(job.model.classes), len(job.targets or ())
        self._least = least(job.model.rule)
        self.seen = 0
        self.wins = np.zeros(classes, dtype=np.int64)
        self.surest = np.full(classes, np.nan, dtype=np.float32)
        self.sure = np.zeros(classes)
        self.present = np.zeros(layers, dtype=np.int64)
        self.surely = np.zeros(layers)
        self.highest = np.full(layers, np.nan, dtype=np.float32)
        self._sums = np.zeros(layers)
        self._nowhere: tuple[NDArray[np.float64], ...] | None = None

    @property
    def mean(self) -> NDArray[np.float64]:
        """(K,) the mean probability of each layer, NaN where one is not known."""
        return self._sums / max(1, self.seen)

    def add(
        self,
        top: NDArray[np.int32],
        top_probability: NDArray[np.float32],
        probabilities: NDArray[np.float32],
        nowhere: NDArray[np.float32] | None = None,
    ) -> None:
        """Count some tiles (n,), (n,), (K, n), (layers, n), as :class:`TileTable` has them."""
        seen = top >= 0
        if nowhere is not None and seen.any():
            told = nowhere[:, seen].astype(np.float64)
            low, high, total = self._nowhere or (np.inf, -np.inf, 0.0)
            self._nowhere = (
                np.minimum(low, told.min(1)),
                np.maximum(high, told.max(1)),
                total + told.sum(1),
            )
        best, sure, each = top[seen], top_probability[seen], probabilities[:, seen]
        self.seen += len(best)
        np.fmax.at(self.surest, best, sure)
        if self._least:
            best, sure = best[sure >= self._least], sure[sure >= self._least]
            there = each >= self._least
            self.present += there.sum(axis=1)
            self.surely += each.sum(axis=1, dtype=np.float64, where=there)
        self.wins += np.bincount(best, minlength=len(self.wins))
        # Where the model gives no probabilities, tiles are counted.
        self.sure += np.bincount(best, np.nan_to_num(sure, nan=1), minlength=len(self.wins))
        self.highest = np.fmax(self.highest, np.fmax.reduce(each, axis=1, initial=np.nan))
        self._sums += each.sum(axis=1, dtype=np.float64)

    @property
    def nowhere(self) -> list[dict[str, float]]:
        """By layer what tokens on no place give to its score in tiles, in logits: ``minimum``,
        ``maximum`` and ``mean``; empty where there are none.
        """
        if not self._nowhere:
            return []
        low, high, total = self._nowhere
        figures = np.stack([low, high, total / self.seen], axis=1)
        return [
            dict(zip(("minimum", "maximum", "mean"), of, strict=True)) for of in figures.tolist()
        ]


@dataclass(frozen=True)
class Standing:
    """What the model says of a layer, tile by tile.

    ``won`` is the number of tiles whose best class it is, or by ``rule`` sigmoid in which it is
    present, by ``shares`` in which it has a pixel; None where the layer is no class's own
    (``ship vs harbor``), or scores are none of classes (``rule`` none). ``highest`` is its highest
    probability, or share of a tile's pixels, None where there is none;
    ``classes`` what the layer ``top`` is made of, class → tiles, most first, and ``surest`` how
    probable each of these gets where it is the best. ``nowhere`` is what :class:`Tally` has of it.
    """

    won: int | None
    highest: float | None
    classes: dict[str, int]
    surest: dict[str, float | None] = field(default_factory=dict)
    rule: Rule = "softmax"
    nowhere: dict[str, float] | None = None


def standings(job: JobFacts, tally: Tally) -> dict[str, Standing]:
    """The standing of every layer."""
    wins, rule = tally.wins, job.model.rule
    nowhere = dict(zip(job.layers, tally.nowhere, strict=False))
    if job.targets is None:
        won = None if rule == "none" else tally.seen if rule == "softmax" else int(wins.sum())
        order = [int(i) for i in np.argsort(-wins, kind="stable") if wins[i]]
        made_of = {job.model.classes[i]: int(wins[i]) for i in order}
        surest = {job.model.classes[i]: _figure(tally.surest[i]) for i in order}
        highest = _figure(np.fmax.reduce(tally.surest))
        return {TOP: Standing(won, highest, made_of, surest, rule, nowhere.get(TOP))}
    found = {}
    for k, (layer, (plus, minus)) in enumerate(zip(job.layers, job.targets, strict=True)):
        won = None
        if plus is not None and minus is None and rule != "none":
            won = int(tally.present[k] if least(rule) else wins[plus])
        found[layer] = Standing(
            won, _figure(tally.highest[k]), {}, rule=rule, nowhere=nowhere.get(layer)
        )
    return found


def _figure(probability: np.float32) -> float | None:
    return None if np.isnan(probability) else float(probability)


def strongest(job: JobFacts, tally: Tally, count: int) -> list[int]:
    """Positions of the layers with most to show: best class of many tiles, or in many, and surely
    so. Where there are no probabilities, the highest score of many.
    """
    if job.targets is None:
        return [0]
    several = least(job.model.rule) is not None
    sure = np.array(
        [
            0.0 if plus is None or minus is not None else surely if several else tally.sure[plus]
            for (plus, minus), surely in zip(job.targets, tally.surely, strict=True)
        ]
    )
    order = np.lexsort((-tally.mean, -sure))
    return [int(i) for i in order[:count]]
