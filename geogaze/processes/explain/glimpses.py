"""Glimpses of a job as its parts hold them, laid together as far as there are any."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

import numpy as np

from geogaze.arrays import unpacked
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part
from geogaze.processes.explain.plan import Plan
from geogaze.products.glimpses import MOST, PICTURE, Canvas, Glimpse
from geogaze.storage import Storage
from geogaze.storage.ahead import ahead


def packed(glimpse: Glimpse) -> bytes:
    """A glimpse, as it lies in a part behind the evidence."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heat=glimpse.heat, picture=glimpse.picture)
    return buffer.getvalue()


def load_glimpse(storage: Storage, part: Part, plan: Plan) -> Glimpse | None:
    """Read back a part's glimpse; None of a part that an earlier release left."""
    evidence = len(plan.layers) * part.result["seen"] * plan.tiling.cells**2 * 4
    data = storage.get(f"{part.prefix}evidence.f32", evidence)
    return Glimpse(**unpacked(data)) if data else None


class Gathered:
    """Glimpses of one job, each laid once on a canvas.

    Args:
        plan: the job's.
        most: cells of the canvas along its longer side, at most.
        detail: pixels of its picture along a cell's side.
    """

    def __init__(self, plan: Plan, most: int = MOST, detail: int = PICTURE) -> None:
        self._plan = plan
        tiling = plan.tiling
        reach = tiling.cells / tiling.step
        self.canvas = Canvas(len(plan.layers), tiling.rows, tiling.cols, reach, most, detail)
        self.tiles = 0
        self._known: set[Chunk] = set()

    def lay(self, chunk: Chunk, glimpse: Glimpse | None) -> None:
        """Lay a chunk's glimpse; nothing where it is laid, or where it has none."""
        if chunk in self._known:
            return
        self._known.add(chunk)
        if glimpse is not None:
            self.tiles += math.prod(chunk.shape)
            self.canvas.lay(chunk.row0, chunk.col0, glimpse)

    def lay_parts(self, storage: Storage, parts: Iterable[Part], most: int) -> int:
        """Lay what is new of some parts, ``most`` of them; how many are left.

        Raises:
            ObjectNotFound: the part is gone.
            StorageUnavailable: the store is away.
        """
        chunks = ((self._plan.chunk(part.root, part.rectangle), part) for part in parts)
        new = [(chunk, part) for chunk, part in chunks if chunk not in self._known]
        some = new[:most]
        glimpses = ahead(lambda pair: load_glimpse(storage, pair[1], self._plan), some)
        for (chunk, _), glimpse in zip(some, glimpses, strict=True):
            self.lay(chunk, glimpse)
        return len(new) - len(some)
