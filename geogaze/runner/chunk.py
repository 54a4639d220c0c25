"""Explaining one chunk of tiles, and the part it leaves for later phases."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.explain.engine import Engine
from geogaze.grid.coverage import cell_coverage
from geogaze.grid.resample import divides, resample_matrix
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part
from geogaze.models.targets import target_probability
from geogaze.processes.explain.plan import Plan
from geogaze.scene.aoi import inside_mask
from geogaze.scene.view import Pixels, SceneView
from geogaze.storage import Storage

Pulse = Callable[[int], None]
"""Called after every batch with the tiles it did; raises to stop the work."""


@dataclass(frozen=True)
class ChunkTable:
    """What is known of each tile of a chunk, row by row (n tiles), and of its cells.

    ``valid_fraction`` (n,) 0..1; ``top`` (n,) int32 position of the best class, -1 where the tile
    was not looked at; ``top_probability`` (n,) and ``probabilities`` (K, n) float32, NaN likewise;
    ``coverage`` (rows, cols) of the chunk's lattice cells.
    """

    valid_fraction: NDArray[np.float32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    coverage: NDArray[np.float32]

    @classmethod
    def unseen(cls, plan: Plan, count: int, coverage: NDArray[np.float32]) -> ChunkTable:
        """A table of tiles that were not looked at."""
        layers = len(plan.layers) if plan.targets else 0
        return cls(
            valid_fraction=np.full(count, np.nan, dtype=np.float32),
            top=np.full(count, -1, dtype=np.int32),
            top_probability=np.full(count, np.nan, dtype=np.float32),
            probabilities=np.full((layers, count), np.nan, dtype=np.float32),
            coverage=coverage,
        )

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which tiles were looked at (n,)."""
        return self.top >= 0


@dataclass(frozen=True)
class ChunkResult:
    """A chunk, explained.

    ``evidence`` (K, seen tiles, cells, cells) float32 is signed and on the lattice; ``route`` says
    how gradients were had, empty where no tile was seen; ``unreadable`` has the tiles (row,
    column) that touch a damaged block, by what it is called.
    """

    table: ChunkTable
    evidence: NDArray[np.float32]
    route: str
    unreadable: dict[str, list[tuple[int, int]]]


def explain_chunk(
    plan: Plan, chunk: Chunk, scene: SceneView, engine: Engine, pulse: Pulse
) -> ChunkResult:
    """Explain a chunk, from one windowed read.

    Tiles without a valid pixel (in the area of interest, if there is one) never reach the device,
    nor do those that a damaged block is part of.
    """
    tiling, halo = plan.tiling, plan.halo
    top, left, bottom, right = tiling.chunk_window(chunk)
    pixels = scene.read((top - halo, left - halo, bottom + halo, right + halo))
    pulse(0)
    looked = pixels.valid & _wanted(plan, pixels)
    coverage = cell_coverage(
        looked,
        (pixels.box[0], pixels.box[1]),
        plan.lattice,
        tiling.chunk_cells(chunk),
        (0, 0, plan.working.height, plan.working.width),
    )
    tiles_here = list(chunk.tiles())
    windows = [_inner(tiling.window(*tile), pixels) for tile in tiles_here]
    unreadable = _touched(plan, pixels, tiles_here)
    lost = {tile for touched in unreadable.values() for tile in touched}
    table = ChunkTable.unseen(plan, len(windows), coverage)
    table.valid_fraction[:] = [pixels.valid[w].mean() for w in windows]
    seen = np.array(
        [i for i, tile in enumerate(tiles_here) if tile not in lost and looked[windows[i]].any()],
        dtype=np.int64,
    )
    layers, targets = len(plan.layers), plan.targets
    evidence = np.empty((layers, len(seen), tiling.cells, tiling.cells), dtype=np.float32)
    size, maps = plan.bundle.input_size, plan.maps
    to_lattice = resample_matrix(size, maps.stride, maps.cells)
    one_to_one = divides(size, maps.stride, maps.cells)
    route = ""
    if len(seen):
        window = engine.prepare(pixels.values, pixels.known, plan.scene.rescale)
        corners = [(windows[i][0].start, windows[i][1].start) for i in seen]
        explain = engine.explain_shared if plan.context == "scene" else engine.explain_tiles
        # Closed whatever happens, so that the next chunk gets the device.
        with closing(explain(window, corners, targets, plan.method)) as batches:
            for batch in batches:
                tiles, share = seen[batch.tiles], batch.probabilities
                table.top[tiles] = share.argmax(axis=1)
                table.top_probability[tiles] = share.max(axis=1)
                for k, target in enumerate(targets or ()):
                    table.probabilities[k, tiles] = target_probability(share, target)
                found = batch.evidence.transpose(1, 0, 2, 3)
                evidence[:, batch.tiles] = (
                    found if one_to_one else to_lattice @ found @ to_lattice.T
                )
                route = batch.route
                pulse(len(tiles))
    if left_out := int((table.top[seen] < 0).sum()):
        # Their evidence would be whatever lay in memory.
        raise RuntimeError(f"{left_out} of {len(seen)} tiles were not explained: a bug.")
    return ChunkResult(table, evidence, route, unreadable)


def _touched(
    plan: Plan, pixels: Pixels, tiles: list[tuple[int, int]]
) -> dict[str, list[tuple[int, int]]]:
    """Tiles whose pixels, halo included, a damaged block is part of; each under one block."""
    touched: dict[str, list[tuple[int, int]]] = {}
    for tile in tiles if pixels.damage else ():
        top, left, bottom, right = plan.tiling.window(*tile)
        seen = (top - plan.halo, left - plan.halo, bottom + plan.halo, right + plan.halo)
        reason = next((d.reason for d in pixels.damage if d.touches(seen)), None)
        if reason:
            touched.setdefault(reason, []).append(tile)
    return touched


def _wanted(plan: Plan, pixels: Pixels) -> NDArray[np.bool_]:
    if plan.aoi is None:
        return np.ones_like(pixels.valid)
    top, left, _, _ = pixels.box
    transform = plan.working.transform.__class__.translation(left, top)
    return inside_mask(plan.aoi, plan.working.transform @ transform, pixels.valid.shape)


def _inner(window: tuple[int, int, int, int], pixels: Pixels) -> tuple[slice, slice]:
    top, left = pixels.box[:2]
    return (
        slice(window[0] - top, window[2] - top),
        slice(window[1] - left, window[3] - left),
    )


def store_chunk(
    storage: Storage, prefix: str, table: ChunkTable, evidence: NDArray[np.float32]
) -> None:
    """Write a chunk's part: ``tiles.npz`` and ``evidence.f32``, layer after layer."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(table))
    storage.put(f"{prefix}tiles.npz", buffer.getvalue())
    if evidence.size:
        storage.put(f"{prefix}evidence.f32", np.ascontiguousarray(evidence).tobytes())


def load_table(storage: Storage, part: Part) -> ChunkTable:
    """Read back a chunk's table."""
    with np.load(io.BytesIO(storage.get(f"{part.prefix}tiles.npz"))) as arrays:
        return ChunkTable(**arrays)


def load_evidence(
    storage: Storage, part: Part, layer: int, seen: int, cells: int
) -> NDArray[np.float32]:
    """Read back one layer's evidence (seen tiles, cells, cells), and no other layer's bytes."""
    if not seen:
        return np.empty((0, cells, cells), dtype=np.float32)
    size = seen * cells * cells * 4
    data = storage.get(f"{part.prefix}evidence.f32", layer * size, (layer + 1) * size)
    return np.frombuffer(data, dtype=np.float32).reshape(seen, cells, cells)
