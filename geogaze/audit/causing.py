"""What really happens to a class when the world is changed: objects out, surroundings replaced.

Taking the object out is robust: many ways of doing it agree. Replacing what surrounds it depends
on what with, so it is averaged over the scene's own grounds, whatever they look like (only those
alike would hide a bias).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.audit import edits
from geogaze.audit.asking import Answer, ask
from geogaze.audit.balance import Floats, cell_shares
from geogaze.audit.edits import Picture
from geogaze.audit.measuring import Grid, Measured, chosen_places
from geogaze.audit.sites import Place, Site, Tile
from geogaze.evidence.explainer import Explainer
from geogaze.models.targets import Target

_GROUNDS = 64
_DRAWS = 3
_LARGEST = 0.6  # of a tile: beyond, there are no surroundings to speak of
_AT_ONCE = 16


@dataclass(frozen=True)
class Effects:
    """Of tiles (n,) of a scene that show an object, float64 unless said.

    Attributes:
        places: (n, 2) of the tiles.
        recognised: bool, whether the model says the class.
        area: the share of the tile that is taken out.
        logit: of the class.
        ground: the mean logit of the scene's tiles without objects.
        forecast: evidence above ground on the object: what its removal should cost.
        without: the logit with ground alike in the object's place, mean of some draws.
        filled: the logit with its surroundings filled in.
        control: the logit after the same edit beside the object.
        alone: the logit with other ground around the object, mean of some draws.
        stays: share of the draws without object that are still called the class.
        suppressed: texture, shape, colour → the logit above ground, both without it.
        probes: cue → mean change of the ground's logit.
        dressed: (n, cues) the logit with each of the probes' cues over the whole tile.
        keeps: (n, cues) bool, whether the tile is still called the class then.
    """

    places: NDArray[np.int64]
    recognised: NDArray[np.bool_]
    area: Floats
    logit: Floats
    ground: Floats
    forecast: Floats
    without: Floats
    filled: Floats
    control: Floats
    alone: Floats
    stays: Floats
    suppressed: dict[str, Floats]
    probes: dict[str, float]
    dressed: Floats
    keeps: NDArray[np.bool_]


def change(
    site: Site,
    measured: Measured,
    engine: Explainer,
    target: int,
    score: Target,
    most: int,
    seed: int = 0,
) -> Effects | None:
    """Change the tiles of a scene that show an object, and ask again.

    Args:
        site: the scene.
        measured: what was measured on it.
        engine: the model.
        target: position of the class that the objects are.
        score: the same, as a target of evidence.
        most: tiles that are changed at most.
        seed: of which tiles and grounds.

    Returns:
        None where there are none, or no ground without objects.
    """
    showing = measured.shows & (measured.area < _LARGEST)
    places = chosen_places(measured, showing, most, seed)
    empty = chosen_places(measured, measured.empty, _GROUNDS, seed)
    if not places or not empty:
        return None
    grounds = [tile.picture for tile in site.tiles(empty)]
    as_is = ask(engine, grounds, [score])
    probes = {
        cue: float((ask(engine, [laid(g) for g in grounds], [score]).logits - as_is.logits)
                   [:, target].mean())
        for cue, laid in edits.PROBES.items()
    }  # fmt: skip
    donors = _Donors(grounds, seed)
    level = float(as_is.evidence.mean())
    found = [
        _changed(tiles, donors, engine, target, score, level) for tiles in _batches(site, places)
    ]
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    ground = np.full(len(columns["logit"]), as_is.logits[:, target].mean())
    suppressed = {
        what: columns.pop(what)
        - _asked(engine, score, [taken(one) for one in grounds]).logits[:, target].mean()
        for what, taken in edits.SUPPRESSED.items()
    }
    return Effects(ground=ground, probes=probes, suppressed=suppressed, **columns)


def _batches(site: Site, places: Sequence[Place]) -> Iterator[list[Tile]]:
    for start in range(0, len(places), _AT_ONCE):
        yield list(site.tiles(places[start : start + _AT_ONCE]))


class _Donors:
    """Ground without objects, to be put in."""

    def __init__(self, grounds: list[Picture], seed: int) -> None:
        self._grounds = grounds
        whole = np.ones(grounds[0].shape[1:], bool)
        self._looks = np.stack([edits.look_of(ground, whole) for ground in grounds])
        self._rng = np.random.default_rng(seed)

    def alike(self, picture: Picture, keep: edits.Mask) -> list[Picture]:
        """Those that look most like what surrounds an object."""
        away = np.abs(self._looks - edits.look_of(picture, keep)).sum(axis=1)
        return [self._grounds[i] for i in np.argsort(away)[:_DRAWS]]

    def any(self) -> list[Picture]:
        """Some, whatever they look like."""
        return [self._grounds[i] for i in self._rng.integers(0, len(self._grounds), _DRAWS)]


def _changed(
    tiles: list[Tile],
    donors: _Donors,
    engine: Explainer,
    target: int,
    score: Target,
    level: float,
) -> dict[str, Any]:
    holes = [edits.hole_of(tile.objects) for tile in tiles]
    pictures = [tile.picture for tile in tiles]
    pairs = list(zip(pictures, holes, strict=True))
    before = ask(engine, pictures, [score])
    alike = [donors.alike(picture, ~hole) for picture, hole in pairs]
    grounds = [donors.any() for _ in tiles]
    without = [
        _asked(
            engine,
            score,
            [edits.replaced(p, a[d], h) for (p, h), a in zip(pairs, alike, strict=True)],
        )
        for d in range(_DRAWS)
    ]
    alone = [
        _asked(
            engine,
            score,
            [edits.replaced(g[d], p, h) for (p, h), g in zip(pairs, grounds, strict=True)],
        )
        for d in range(_DRAWS)
    ]
    filled = [edits.replaced(p, edits.filled_in(p, h), h) for p, h in pairs]
    control = [
        edits.replaced(p, a[0], edits.elsewhere(h)) for (p, h), a in zip(pairs, alike, strict=True)
    ]
    dressed = [
        _asked(engine, score, [laid(one) for one in pictures]) for laid in edits.PROBES.values()
    ]
    cells = cell_shares(np.stack(holes), Grid(engine.bundle).pixels)
    above = (cells * (before.evidence[:, 0] - level)).mean(axis=(1, 2))
    return {
        "places": np.array([tile.place for tile in tiles], dtype=np.int64),
        "recognised": before.present[:, target],
        "area": np.array([hole.mean() for hole in holes]),
        "logit": before.logits[:, target],
        "forecast": above,
        "without": np.mean([answer.logits[:, target] for answer in without], axis=0),
        "filled": _asked(engine, score, filled).logits[:, target],
        "control": _asked(engine, score, control).logits[:, target],
        "alone": np.mean([answer.logits[:, target] for answer in alone], axis=0),
        "dressed": np.stack([answer.logits[:, target] for answer in dressed], axis=1),
        "keeps": np.stack([answer.present[:, target] for answer in dressed], axis=1),
        "stays": np.mean([answer.present[:, target] for answer in without], axis=0),
        **{
            what: _asked(engine, score, [taken(one) for one in pictures]).logits[:, target]
            for what, taken in edits.SUPPRESSED.items()
        },
    }


def _asked(engine: Explainer, score: Target, pictures: list[Picture]) -> Answer:
    return ask(engine, pictures, [score])
