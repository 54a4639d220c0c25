"""Explaining one chunk of tiles, and the part it leaves for later phases."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.explain.engine import Engine
from geogaze.grid.coverage import cell_coverage
from geogaze.grid.resample import divides, resample_matrix
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part
from geogaze.planning.plan import Plan
from geogaze.scene.aoi import inside_mask
from geogaze.scene.reader import Pixels, SceneReader, unit_range
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

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which tiles were looked at (n,)."""
        return self.top >= 0


def explain_chunk(
    plan: Plan, chunk: Chunk, reader: SceneReader, engine: Engine, pulse: Pulse
) -> tuple[ChunkTable, NDArray[np.float32]]:
    """Explain a chunk.

    Tiles without a valid pixel (in the area of interest, if there is one) never reach the device.

    Returns:
        The table, and the signed evidence (K, seen tiles, cells, cells) on the lattice.
    """
    tiling, lattice = plan.tiling, plan.lattice
    pixels = reader.read(tiling.chunk_window(chunk))
    looked = pixels.valid & _wanted(plan, pixels)
    coverage = cell_coverage(
        looked,
        (pixels.box[0], pixels.box[1]),
        lattice,
        tiling.chunk_cells(chunk),
        (0, 0, plan.working.height, plan.working.width),
    )
    windows = [_inner(tiling.window(*tile), pixels) for tile in chunk.tiles()]
    valid_fraction = np.array([pixels.valid[w].mean() for w in windows], dtype=np.float32)
    seen = np.array([looked[w].any() for w in windows])
    classes = plan.class_indices
    count, layers = len(windows), len(plan.layers)
    top = np.full(count, -1, dtype=np.int32)
    top_probability = np.full(count, np.nan, dtype=np.float32)
    probabilities = np.full((layers if classes else 0, count), np.nan, dtype=np.float32)
    evidence = np.empty((layers, int(seen.sum()), tiling.cells, tiling.cells), dtype=np.float32)
    to_lattice = resample_matrix(plan.bundle.input_size, plan.bundle.stride, plan.bundle.cells)
    one_to_one = divides(plan.bundle.input_size, plan.bundle.stride, plan.bundle.cells)
    done = 0
    for batch in _batches(np.flatnonzero(seen), plan.batch_size):
        values = np.stack([pixels.values[:, *windows[i]] for i in batch])
        valid = np.stack([pixels.valid[windows[i]] for i in batch])
        images = engine.normalise(unit_range(values, plan.scene.rescale), valid)
        result = engine.explain(images, classes)
        share = result.probabilities
        top[batch] = share.argmax(axis=1)
        top_probability[batch] = share.max(axis=1)
        if classes:
            probabilities[:, batch] = share[:, classes].T
        maps = result.evidence.transpose(1, 0, 2, 3)
        evidence[:, done : done + len(batch)] = (
            maps if one_to_one else to_lattice @ maps @ to_lattice.T
        )
        done += len(batch)
        pulse(len(batch))
    table = ChunkTable(valid_fraction, top, top_probability, probabilities, coverage)
    return table, evidence


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


def _batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


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
