"""What a network says of the tiles of a scene, and of what lies on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geogaze.audit.asking import Answer, ask
from geogaze.audit.balance import Floats, balance, cell_pixels, cell_shares
from geogaze.audit.edits import Picture
from geogaze.audit.localisation import on_and_beside
from geogaze.audit.sites import FAR_METRES, Place, Site, Tile
from geogaze.evidence.explainer import Explainer
from geogaze.models.bundles import Bundle
from geogaze.models.targets import Target
from geogaze.scene.cutting import SHOWS

_AT_ONCE = 64


@dataclass(frozen=True)
class Measured:
    """A scene's tiles, n of them.

    Attributes:
        site: the scene's name.
        shape: rows and columns of its disjoint tiles.
        places: (n, 2) of the tiles.
        area: (n,), the share of a tile that objects cover.
        kind_area: (n, kinds), the share of its cells that is of each kind.
        logits: (n, classes).
        present: (n, classes), whether the model says so.
        cells: (n, g, g), the share of each cell that objects cover.
        evidence: (n, g, g) of the target.
        sums: (n, classes), what each class's evidence adds up to, in logits.
        others: (n, classes, 2), positive evidence on objects and beside them, added up over cells.
        by_kind: (n, kinds), the target's evidence in logits.
        by_distance: (n, distances), likewise.
        edges: (n, g, g), how much contrast each cell holds, for comparison.
    """

    site: str
    shape: tuple[int, int]
    places: NDArray[np.int64]
    area: Floats
    kind_area: Floats
    logits: Floats
    present: NDArray[np.bool_]
    cells: Floats
    evidence: Floats
    sums: Floats
    others: Floats
    by_kind: Floats
    by_distance: Floats
    edges: Floats

    @property
    def at(self) -> list[Place]:
        """Row and column of each tile."""
        return [(int(row), int(col)) for row, col in self.places]

    @cached_property
    def shows(self) -> NDArray[np.bool_]:
        """Tiles (n,) that show an object."""
        return np.asarray(self.area >= SHOWS)

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """Tiles (n,) without a pixel of one."""
        return np.asarray(self.area == 0)

    @cached_property
    def known(self) -> Floats:
        """The scene's lattice: 1 where a tile was looked at, else 0."""
        return self.whole(np.ones_like(self.cells))

    def whole(self, tiles: Floats) -> Floats:
        """Values of tiles (n, g, g) as the scene's own lattice; 0 where a tile is unknown."""
        rows, cols = self.shape
        g = tiles.shape[-1]
        lattice = np.zeros((rows, g, cols, g))
        lattice[self.places[:, 0], :, self.places[:, 1]] = tiles
        return lattice.reshape(rows * g, cols * g)


class Grid:
    """A model's cells on a tile: which pixels are whose."""

    def __init__(self, bundle: Bundle) -> None:
        g = bundle.cells
        self.pixels = cell_pixels(bundle.input_size, g, bundle.stride, bundle.first_center)

    def shares(self, labels: NDArray[np.uint8], count: int) -> Floats:
        """Of pixels (T, T) labelled 0 to count - 1, each one's share of the cells (count, g, g)."""
        return cell_shares(labels == np.arange(count)[:, None, None], self.pixels)


def measure(
    site: Site,
    engine: Explainer,
    target: int,
    places: Sequence[Place],
    on_tiles: Callable[[int], None] = lambda tiles: None,
) -> Measured | None:
    """Look at some tiles of a scene; None where none is known in full.

    Args:
        site: the scene.
        engine: the model.
        target: position of the class that the objects are.
        places: of the tiles.
        on_tiles: told of how many more of them are done, after each batch.
    """
    grid = Grid(engine.bundle)
    targets: list[Target] = [(k, None) for k in range(len(engine.bundle.classes))]
    parts = []
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        if batch := list(site.tiles(some)):
            answer = ask(engine, [tile.picture for tile in batch], targets)
            parts.append(_part(site, batch, answer, grid, target))
        on_tiles(len(some))
    return together(parts)


def together(parts: Sequence[Measured]) -> Measured | None:
    """Tiles of one scene that were measured apart; None of none."""
    if not parts:
        return None
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Measured.__dataclass_fields__
        if name not in {"site", "shape"}
    }
    return Measured(parts[0].site, parts[0].shape, **columns)


def _part(site: Site, tiles: list[Tile], answer: Answer, grid: Grid, target: int) -> Measured:
    kinds = np.stack([grid.shares(tile.kinds, len(site.kinds)) for tile in tiles])
    distances = np.stack([grid.shares(tile.bands, len(FAR_METRES) + 2) for tile in tiles])
    evidence = answer.evidence[:, target]
    by_kind = balance(evidence, kinds)
    sums = answer.evidence.mean(axis=(2, 3))
    sums[:, target] = by_kind.sum(axis=1)  # what is told of it must close, kind by kind
    return Measured(
        site.name,
        (site.rows, site.cols),
        np.array([tile.place for tile in tiles], dtype=np.int64),
        np.array([tile.objects.mean() for tile in tiles]),
        kinds.mean(axis=(2, 3)),
        answer.logits,
        answer.present,
        kinds[:, 0],
        evidence,
        sums,
        on_and_beside(answer.evidence, kinds[:, 0]),
        by_kind,
        balance(evidence, distances),
        np.stack([_contrast(tile.picture, grid) for tile in tiles]),
    )


def _contrast(picture: Picture, grid: Grid) -> Floats:
    """How much neighbouring pixels differ in each cell (g, g)."""
    grey = picture.mean(axis=0)
    edges = np.zeros_like(grey)
    edges[1:] += np.abs(np.diff(grey, axis=0))
    edges[:, 1:] += np.abs(np.diff(grey, axis=1))
    length = grid.pixels.sum(axis=1)
    return np.asarray(grid.pixels @ edges @ grid.pixels.T / np.outer(length, length))


def chosen_places(
    measured: Measured, which: NDArray[np.bool_], most: int, seed: int
) -> list[Place]:
    """At most so many places of some tiles, drawn by chance and in order."""
    at = np.flatnonzero(which)
    drawn = np.sort(np.random.default_rng(seed).permutation(at)[:most])
    return [measured.at[number] for number in drawn]
