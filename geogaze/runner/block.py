"""The part that a block of the lattice leaves: the blended evidence of all layers, and sketches.

A part is two files under its unit's prefix: ``blended.f32``, layer after layer and row by row, and
``sketches.npz``, of each layer's positive evidence; where it is asked for, also ``spread.f32``, the
standard deviation of the evidence under shifted grids.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geogaze.arrays import unpacked
from geogaze.grid.lattice import Box, overlap, slices
from geogaze.grid.rectangles import Division
from geogaze.grid.sketch import Sketch
from geogaze.ledger.records import Part
from geogaze.storage import Storage

BLENDED, SPREAD = "blended.f32", "spread.f32"


def store_sketches(storage: Storage, prefix: str, sketches: list[Sketch]) -> None:
    """Write the sketches of a block's layers."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        dropped=[sketch.dropped for sketch in sketches],
        sizes=[len(sketch.bins) for sketch in sketches],
        bins=np.concatenate([sketch.bins for sketch in sketches]),
        counts=np.concatenate([sketch.counts for sketch in sketches]),
    )
    storage.put(f"{prefix}sketches.npz", buffer.getvalue())


def load_sketches(storage: Storage, part: Part) -> list[Sketch]:
    """Read back the sketches of a block's layers."""
    arrays = unpacked(storage.get(f"{part.prefix}sketches.npz"))
    ends = np.cumsum(arrays["sizes"])[:-1]
    bins, counts = (np.split(arrays[name], ends) for name in ("bins", "counts"))
    dropped = arrays["dropped"].tolist()
    return [Sketch(*each) for each in zip(dropped, bins, counts, strict=True)]


@dataclass(frozen=True)
class Blended:
    """The blended evidence of a job, as its blocks have left it.

    ``parts`` are by number of the block; ``file`` is what is read of each.
    """

    storage: Storage
    blocks: Division
    parts: list[Part]
    file: str = BLENDED

    def window(self, layer: int, box: Box) -> NDArray[np.float32]:
        """A box of cells (h, w) of a layer: only the rows that it needs are read of a block."""
        values = np.empty((box[2] - box[0], box[3] - box[1]), dtype=np.float32)
        side, across = self.blocks.side, -(-self.blocks.cols // self.blocks.side)
        for row in range(box[0] // side, -(-box[2] // side)):
            for col in range(box[1] // side, -(-box[3] // side)):
                number = row * across + col
                block = self.blocks.rectangle(number)
                theirs, ours = overlap(block, box)
                values[ours] = self._rows(number, layer, theirs[0])[:, theirs[1]]
        return values

    def _rows(self, number: int, layer: int, rows: slice) -> NDArray[np.float32]:
        """Some rows (n, cols) of a block."""
        height, width = (part.stop - part.start for part in slices(self.blocks.rectangle(number)))
        start, stop = ((layer * height + row) * width * 4 for row in (rows.start, rows.stop))
        data = self.storage.get(f"{self.parts[number].prefix}{self.file}", start, stop)
        return np.frombuffer(data, dtype=np.float32).reshape(-1, width)
