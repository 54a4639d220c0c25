"""The part that a chunk leaves for later phases: its table of tiles, and their evidence.

A part is two files under its unit's prefix: ``tiles.npz``, the table, and ``evidence.f32``, the
maps of all tiles that were looked at, layer after layer, so that a layer is read by itself.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.arrays import unpacked
from geogaze.ledger.records import Part
from geogaze.processes.explain.plan import Plan
from geogaze.storage import Storage
from geogaze.timing import timed


@dataclass(frozen=True)
class ChunkTable:
    """What is known of each tile of a chunk, row by row (n tiles), and of its cells.

    ``valid_fraction`` (n,) 0..1; ``top`` (n,) int32 position of the best class, -1 where the tile
    was not looked at; ``top_probability`` (n,) and ``probabilities`` (K, n) float32, NaN likewise,
    or where the model gives no probabilities;
    ``coverage`` (rows, cols) of the chunk's lattice cells; ``nowhere`` (layers, n) float32, in
    logits, what tokens on no place give to the layers' scores, None where the network has none.
    """

    valid_fraction: NDArray[np.float32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    coverage: NDArray[np.float32]
    nowhere: NDArray[np.float32] | None = None

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


@timed("store")
def store_chunk(
    storage: Storage,
    prefix: str,
    table: ChunkTable,
    evidence: NDArray[np.float32],
    behind: bytes = b"",
) -> None:
    """Write a chunk's part: ``tiles.npz`` and ``evidence.f32``, layer after layer, with something
    small ``behind`` it, as another object would cost a store more than its bytes do.
    """
    buffer = io.BytesIO()
    known = {name: values for name, values in vars(table).items() if values is not None}
    np.savez_compressed(buffer, **known)
    storage.put(f"{prefix}tiles.npz", buffer.getvalue())
    if data := np.ascontiguousarray(evidence).tobytes() + behind:
        storage.put(f"{prefix}evidence.f32", data)


def load_table(storage: Storage, part: Part, *, cells: bool = True) -> ChunkTable:
    """Read back a chunk's table, or without what it knows of ``cells``: none, then."""
    data = storage.get(f"{part.prefix}tiles.npz")
    kept = unpacked(data, lambda name: cells or name != "coverage")
    kept.setdefault("coverage", np.empty((0, 0), dtype=np.float32))
    return ChunkTable(**kept)


def load_evidence(
    storage: Storage, part: Part, layers: tuple[int, int], seen: int, cells: int
) -> NDArray[np.float32]:
    """Read back the evidence (layers, seen tiles, cells, cells) of some layers, from the first to
    one before the last, and no other layer's bytes.
    """
    first, last = layers
    if not seen:
        return np.empty((last - first, 0, cells, cells), dtype=np.float32)
    size = seen * cells * cells * 4
    data = storage.get(f"{part.prefix}evidence.f32", first * size, last * size)
    return np.frombuffer(data, dtype=np.float32).reshape(last - first, seen, cells, cells)
