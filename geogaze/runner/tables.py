"""What is known of all tiles of a job, as its chunks have left it: read a rectangle at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator

import numpy as np

from geogaze.grid.lattice import overlap
from geogaze.grid.rectangles import Division, Rectangle, area
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.products.tiles import Tiles, TileTable
from geogaze.runner.part import ChunkTable, load_table
from geogaze.storage import Storage
from geogaze.storage.ahead import ahead

_KEPT_BYTES = 64 * 2**20
"""Of tables that stay in memory once they are read: a store's answers cost more than they take."""
_NO_CELLS = np.empty((0, 0), dtype=np.float32)


class PartTables:
    """The tables of a job's chunks.

    Args:
        storage: where they lie.
        plan: the job's plan.
        parts: of the explain phase.
        given_up: its units that no worker could do.
    """

    def __init__(
        self, storage: Storage, plan: Plan, parts: list[Part], given_up: list[Skipped]
    ) -> None:
        self._storage = storage
        self._plan = plan
        self._parts = parts
        self._told_nowhere = any(part.result.get("nowhere") for part in parts)
        self._kept: dict[str, ChunkTable] = {}
        self._room = _KEPT_BYTES
        self._keeping = threading.Lock()
        self._of_root: dict[int, list[Part | Skipped]] = {}
        every: list[Part | Skipped] = [*parts, *given_up]
        for unit in every:
            self._of_root.setdefault(unit.root, []).append(unit)

    @property
    def tiles(self) -> Tiles:
        """All tiles, read when they are asked for."""
        tiling = self._plan.tiling
        kept = Division(tiling.rows, tiling.cols, self._plan.chunk_side)
        return Tiles(kept, self.read, told_nowhere=self._told_nowhere)

    def done(self) -> Iterator[tuple[Chunk, ChunkTable]]:
        """The parts and their tables, without what these know of cells."""
        return self._loaded(self._parts)

    def read(self, box: Rectangle) -> TileTable:
        """The tiles of a rectangle, row by row; those of units that were given up are unseen."""
        row0, col0, row1, col1 = box
        nothing = ChunkTable.unseen(self._plan, area(box), _NO_CELLS)
        found = {
            name: values
            for name, values in vars(nothing).items()
            if name not in {"coverage", "nowhere"}
        }
        if self._told_nowhere:
            found["nowhere"] = np.full((len(self._plan.layers), area(box)), np.nan, np.float32)
        planes = {
            name: values.reshape(*values.shape[:-1], row1 - row0, col1 - col0)
            for name, values in found.items()
        }
        for chunk, table in self._loaded(self._units_over(box)):
            bounds = (chunk.row0, chunk.col0, chunk.row1, chunk.col1)
            theirs, ours = overlap(bounds, box)
            for name, plane in planes.items():
                values = getattr(table, name)
                if values is None:  # of a unit of which no tile was looked at
                    continue
                plane[..., *ours] = values.reshape(*values.shape[:-1], *chunk.shape)[..., *theirs]
        rows, cols = np.mgrid[row0:row1, col0:col1]
        return TileTable(row=rows.ravel(), col=cols.ravel(), **found)

    def _units_over(self, box: Rectangle) -> Iterator[Part | Skipped]:
        """Units with a tile in a rectangle of them, or near it."""
        side = self._plan.chunk_side
        across = math.ceil(self._plan.tiling.cols / side)
        for row in range(box[0] // side, math.ceil(box[2] / side)):
            for col in range(box[1] // side, math.ceil(box[3] / side)):
                yield from self._of_root.get(row * across + col, ())

    def _loaded(self, units: Iterable[Part | Skipped]) -> Iterator[tuple[Chunk, ChunkTable]]:
        def load(unit: Part | Skipped) -> tuple[Chunk, ChunkTable]:
            chunk = self._plan.chunk(unit.root, unit.rectangle)
            if isinstance(unit, Part):
                return chunk, self._table(unit)
            rows, cols = chunk.shape
            return chunk, ChunkTable.unseen(self._plan, rows * cols, _NO_CELLS)

        return ahead(load, units)

    def _table(self, part: Part) -> ChunkTable:
        table = self._kept.get(part.prefix) or load_table(self._storage, part, cells=False)
        size = sum(values.nbytes for values in vars(table).values() if values is not None)
        with self._keeping:  # several are read at once
            if size <= self._room and part.prefix not in self._kept:
                self._kept[part.prefix] = table
                self._room -= size
        return table
