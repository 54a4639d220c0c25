"""Explaining one chunk of tiles: read, choose, explain, and note what the engine answers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import InvalidBundle
from geogaze.evidence.explainer import Explainer, SharesTrunk
from geogaze.evidence.results import BatchResult
from geogaze.grid.coverage import cell_coverage
from geogaze.grid.lattice import Box
from geogaze.grid.resample import divides, resample_matrix
from geogaze.grid.tiling import Chunk
from geogaze.models.targets import least
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.so_far import small_picture
from geogaze.runner.part import ChunkTable
from geogaze.runner.pulse import Pulse
from geogaze.scene.aoi import inside_mask
from geogaze.scene.view import Pixels, SceneView

Tile = tuple[int, int]
"""Row and column of a tile in the job's tiling."""


_SENSELESS = "The model's scores are no numbers."
_GLANCED = 32  # pixels of each tile's step that its small picture is made of


@dataclass(frozen=True)
class ChunkResult:
    """A chunk, explained.

    ``evidence`` (K, seen tiles, cells, cells) float32 is signed and on the lattice; ``route`` says
    how gradients were had and ``ran`` by what, both empty where no tile was seen; ``unreadable``
    has the tiles (row, column) that touch a damaged block, by what it is called; ``picture`` is
    small, see :class:`geogaze.products.glimpses.Glimpse`. ``present`` are the positions of the
    classes that are the best of a tile or, where each is right by itself, present in one.
    """

    table: ChunkTable
    evidence: NDArray[np.float32]
    route: str
    unreadable: dict[str, list[Tile]]
    ran: dict[str, Any]
    picture: NDArray[np.uint8]
    present: list[int]


@dataclass(frozen=True)
class ChunkPixels:
    """What was read for a chunk.

    ``pixels`` are those of all its tiles, with the halo around them; ``wanted`` (h, w) those of
    them that are valid and in the area of interest. ``tiles`` are the chunk's, row by row, and
    ``windows`` where each lies in ``pixels``.
    """

    pixels: Pixels
    wanted: NDArray[np.bool_]
    tiles: list[Tile]
    windows: list[tuple[slice, slice]]

    @classmethod
    def read(cls, plan: Plan, chunk: Chunk, scene: SceneView) -> ChunkPixels:
        """Read a chunk in one window.

        Raises:
            SceneUnreadable: a block is damaged, and the scene is not read leniently.
            SceneUnreachable: the same of a remote scene.
        """
        top, left, bottom, right = plan.tiling.chunk_window(chunk)
        halo = plan.halo
        pixels = scene.read((top - halo, left - halo, bottom + halo, right + halo))
        tiles = list(chunk.tiles())
        windows = [_slices(plan.tiling.window(*tile), pixels) for tile in tiles]
        return cls(pixels, pixels.valid & _in_area(plan, pixels), tiles, windows)

    def table(self, plan: Plan, chunk: Chunk) -> ChunkTable:
        """What is known of the tiles before any is explained."""
        coverage = cell_coverage(
            self.wanted,
            (self.pixels.box[0], self.pixels.box[1]),
            plan.lattice,
            plan.tiling.chunk_cells(chunk),
            (0, 0, plan.working.height, plan.working.width),
        )
        table = ChunkTable.unseen(plan, len(self.tiles), coverage)
        table.valid_fraction[:] = [self.pixels.valid[window].mean() for window in self.windows]
        return table

    def stepwise(self, plan: Plan, chunk: Chunk) -> Pixels:
        """The pixels from the first tile's first one on, a step for each tile; some of them."""
        step = plan.tiling.step * plan.lattice.stride
        every = max(1, step // _GLANCED)
        rows, cols = (
            slice(at.start, at.start + step * count, every)
            for at, count in zip(self.windows[0], chunk.shape, strict=True)
        )
        pixels = self.pixels
        return Pixels(pixels.values[:, rows, cols], pixels.known[:, rows, cols], pixels.box)

    def worth_explaining(self, damaged: dict[str, list[Tile]]) -> NDArray[np.int64]:
        """Positions (n,) of the tiles that have a wanted pixel and touch no damaged block."""
        lost = {tile for tiles in damaged.values() for tile in tiles}
        at = enumerate(zip(self.tiles, self.windows, strict=True))
        return np.array(
            [i for i, (tile, window) in at if tile not in lost and self.wanted[window].any()],
            dtype=np.int64,
        )


class Answers:
    """What the engine says of a chunk's tiles, noted batch by batch in its table and evidence.

    Args:
        plan: the job's.
        table: the chunk's, in which the answers are written.
        seen: positions (n,) of the tiles that the engine is asked about.
    """

    def __init__(self, plan: Plan, table: ChunkTable, seen: NDArray[np.int64]) -> None:
        cells, size, maps = plan.tiling.cells, plan.bundle.input_size, plan.maps
        self.evidence = np.empty((len(plan.layers), len(seen), cells, cells), dtype=np.float32)
        self.route = ""
        self.nowhere: NDArray[np.float32] | None = None
        self._present = np.zeros(len(plan.bundle.classes), dtype=np.bool_)
        self._targets = plan.targets or ()
        self._table = table
        self._seen = seen
        self._plan = plan
        self._senseless: list[int] = []
        self._to_lattice = resample_matrix(size, maps.stride, maps.cells)
        self._one_to_one = divides(size, maps.stride, maps.cells)

    def note(self, batch: BatchResult) -> None:
        """Write down a batch."""
        tiles = self._seen[batch.tiles]
        numbers = np.isfinite(batch.logits).all(axis=1)
        numbers &= np.isfinite(batch.evidence).all(axis=(1, 2, 3))
        if batch.nowhere is not None:
            numbers &= np.isfinite(batch.nowhere).all(axis=1)
        self._senseless.extend(int(i) for i in batch.tiles[~numbers])
        if there := least(batch.rule):
            self._present |= (batch.probabilities[numbers] >= there).any(axis=0)
        else:
            self._present[batch.best[numbers]] = True
        self._table.top[tiles] = batch.best
        self._table.top_probability[tiles] = batch.probabilities.max(axis=1)
        for k, target in enumerate(self._targets):
            self._table.probabilities[k, tiles] = batch.target_probability(target)
        if batch.nowhere is not None:
            if self.nowhere is None:
                shape = len(self._plan.layers), len(self._table.top)
                self.nowhere = np.full(shape, np.nan, dtype=np.float32)
            self.nowhere[:, tiles] = batch.nowhere.T
        self.evidence[:, batch.tiles] = self._on_lattice(batch.evidence.transpose(1, 0, 2, 3))
        self.route = batch.route

    @property
    def present(self) -> list[int]:
        """Positions of the classes that a tile is of, by tiles whose scores are numbers."""
        return [int(index) for index in np.flatnonzero(self._present)]

    def _on_lattice(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps (K, n, g, g) in lattice cells (K, n, cells, cells)."""
        if self._one_to_one:
            return maps
        return np.asarray(self._to_lattice @ maps @ self._to_lattice.T, dtype=np.float32)

    def without_senseless(self, tiles: list[Tile]) -> dict[str, list[Tile]]:
        """Leave out the tiles whose scores are no numbers, and say which, by the reason.

        Args:
            tiles: the chunk's, row by row.

        Raises:
            InvalidBundle: there are some, and bad tiles fail the job.
        """
        if not self._senseless:
            return {}
        bad = self._seen[self._senseless]
        found = [tiles[i] for i in bad]
        if self._plan.on_error == "fail":
            row, col = found[0]
            more = f" and of {len(found) - 1:,} more" if len(found) > 1 else ""
            raise InvalidBundle(
                f"The model's scores of the tile in row {row}, column {col}{more} are no numbers: "
                "look at the scene there, or have such tiles left out with on_error skip."
            )
        self._table.top[bad] = -1
        self._table.top_probability[bad] = np.nan
        self._table.probabilities[:, bad] = np.nan
        if self.nowhere is not None:
            self.nowhere[:, bad] = np.nan
        self.evidence = np.delete(self.evidence, self._senseless, axis=1)
        return {_SENSELESS: found}

    def check_whole(self) -> None:
        """Refuse what lacks a tile: its evidence would be whatever lay in memory.

        Raises:
            RuntimeError: the engine left out a tile.
        """
        if left_out := int((self._table.top[self._seen] < 0).sum()):
            raise RuntimeError(f"{left_out} of {len(self._seen)} tiles were not explained: a bug.")


def explain_chunk(
    plan: Plan, chunk: Chunk, scene: SceneView, engine: Explainer, pulse: Pulse
) -> ChunkResult:
    """Explain a chunk, from one windowed read.

    Tiles without a valid pixel (in the area of interest, if there is one) never reach the device,
    nor do those that a damaged block is part of.
    """
    read = ChunkPixels.read(plan, chunk, scene)
    pulse(0)
    unreadable = _touched(plan, read.pixels, read.tiles)
    seen = read.worth_explaining(unreadable)
    table = read.table(plan, chunk)
    answers = Answers(plan, table, seen)
    if len(seen):
        # Closed whatever happens, so that the next chunk gets the device.
        with closing(_ask(engine, plan, read, seen)) as batches:
            for batch in batches:
                answers.note(batch)
                pulse(len(batch.tiles))
    answers.check_whole()
    unreadable |= answers.without_senseless(read.tiles)
    ran = engine.ran if len(seen) else {}
    picture = small_picture(read.stepwise(plan, chunk), chunk.shape, facts_of(plan).backdrop)
    return ChunkResult(
        replace(table, nowhere=answers.nowhere),
        answers.evidence,
        answers.route,
        unreadable,
        ran,
        picture,
        answers.present,
    )


def _ask(
    engine: Explainer, plan: Plan, read: ChunkPixels, seen: NDArray[np.int64]
) -> Generator[BatchResult]:
    """Have some tiles of a chunk explained, batch by batch."""
    window = engine.prepare(read.pixels.values, read.pixels.known, plan.scene.rescale)
    corners = [(rows.start, cols.start) for rows, cols in (read.windows[i] for i in seen)]
    if plan.context == "scene":
        assert isinstance(engine, SharesTrunk), "engines are loaded for the context"
        return engine.explain_shared(window, corners, plan.targets, plan.method)
    return engine.explain_tiles(window, corners, plan.targets, plan.method)


def _touched(plan: Plan, pixels: Pixels, tiles: list[Tile]) -> dict[str, list[Tile]]:
    """Tiles whose pixels, halo included, a damaged block is part of; each under one block."""
    touched: dict[str, list[Tile]] = {}
    for tile in tiles if pixels.damage else ():
        top, left, bottom, right = plan.tiling.window(*tile)
        seen = (top - plan.halo, left - plan.halo, bottom + plan.halo, right + plan.halo)
        reason = next((d.reason for d in pixels.damage if d.touches(seen)), None)
        if reason:
            touched.setdefault(reason, []).append(tile)
    return touched


def _in_area(plan: Plan, pixels: Pixels) -> NDArray[np.bool_]:
    """Which pixels (h, w) lie in the area of interest."""
    if plan.aoi is None:
        return np.ones_like(pixels.valid)
    top, left, _, _ = pixels.box
    transform = plan.working.transform.__class__.translation(left, top)
    return inside_mask(plan.aoi, plan.working.transform @ transform, pixels.valid.shape)


def _slices(window: Box, pixels: Pixels) -> tuple[slice, slice]:
    """Rows and columns of a window of the working grid in what was read."""
    top, left = pixels.box[:2]
    return slice(window[0] - top, window[2] - top), slice(window[1] - left, window[3] - left)
