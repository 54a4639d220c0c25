"""Tiles on the lattice and chunks of tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from geogaze.grid.lattice import Box, Lattice
from geogaze.grid.rectangles import Division

MAX_OVERLAP = 0.9


def step_of(cells: int, overlap: float) -> int:
    """Cells from tile to tile that come nearest to an overlap."""
    return max(1, math.floor(cells * (1 - overlap) + 0.5))


@dataclass(frozen=True)
class Tiling:
    """T × T windows at steps of whole cells, so that overlapping tiles share lattice cells.

    ``cells`` is the side of a tile in lattice cells, ``step`` the distance of neighbouring tiles
    in cells. The last tile of a row or column is moved back so that its last cell is the
    lattice's last.
    """

    lattice: Lattice
    tile_size: int
    cells: int
    step: int

    @classmethod
    def over(cls, lattice: Lattice, tile_size: int, overlap: float) -> Tiling:
        """Tiles that overlap by the whole number of cells nearest to ``overlap`` (0..0.9)."""
        if not 0 <= overlap <= MAX_OVERLAP:
            raise ValueError(f"overlap {overlap} is not within 0..{MAX_OVERLAP}")
        cells = tile_size // lattice.stride
        return cls(lattice, tile_size, cells, step_of(cells, overlap))

    @property
    def rows(self) -> int:
        """Number of tile rows."""
        return self._count(self.lattice.rows)

    @property
    def cols(self) -> int:
        """Number of tile columns."""
        return self._count(self.lattice.cols)

    def _count(self, length: int) -> int:
        return 1 + max(0, math.ceil((length - self.cells) / self.step))

    def first_cell(self, row: int, col: int) -> tuple[int, int]:
        """Lattice row and column of a tile's first cell."""
        return (
            min(row * self.step, max(0, self.lattice.rows - self.cells)),
            min(col * self.step, max(0, self.lattice.cols - self.cells)),
        )

    def tiles_over(self, box: Box) -> tuple[range, range]:
        """Rows and columns of the tiles that have a cell in a box of lattice cells."""

        def along(count: int, length: int, start: int, stop: int) -> range:
            firsts = [min(n * self.step, max(0, length - self.cells)) for n in range(count)]
            touching = [n for n, at in enumerate(firsts) if at < stop and at + self.cells > start]
            return range(touching[0], touching[-1] + 1)

        return (
            along(self.rows, self.lattice.rows, box[0], box[2]),
            along(self.cols, self.lattice.cols, box[1], box[3]),
        )

    def window(self, row: int, col: int) -> Box:
        """A tile's working pixels; they may reach past the scene on every side."""
        cell_row, cell_col = self.first_cell(row, col)
        top = (self.lattice.row0 + cell_row) * self.lattice.stride
        left = (self.lattice.col0 + cell_col) * self.lattice.stride
        return top, left, top + self.tile_size, left + self.tile_size

    def chunks(self, side: int) -> Iterator[Chunk]:
        """Rectangles of at most ``side`` × ``side`` tiles, row by row."""
        return (self.chunk(side, number) for number in range(self.chunk_count(side)))

    def chunk_count(self, side: int) -> int:
        """Number of chunks."""
        return Division(self.rows, self.cols, side).count

    def chunk(self, side: int, number: int) -> Chunk:
        """The chunk of this number."""
        return Chunk(*Division(self.rows, self.cols, side).rectangle(number))

    def chunk_cells(self, chunk: Chunk) -> Box:
        """Lattice cells that the tiles of a chunk cover, cut to the lattice."""
        row0, col0 = self.first_cell(chunk.row0, chunk.col0)
        row1, col1 = self.first_cell(chunk.row1 - 1, chunk.col1 - 1)
        return (
            row0,
            col0,
            min(row1 + self.cells, self.lattice.rows),
            min(col1 + self.cells, self.lattice.cols),
        )

    def chunk_window(self, chunk: Chunk) -> Box:
        """Working pixels that a chunk's tiles and their cells cover."""
        top, left, _, _ = self.window(chunk.row0, chunk.col0)
        _, _, bottom, right = self.window(chunk.row1 - 1, chunk.col1 - 1)
        # Cells lie up to a stride off the tile's pixels.
        reach = math.ceil(abs(self.lattice.offset))
        return top - reach, left - reach, bottom + reach, right + reach


@dataclass(frozen=True)
class Chunk:
    """A half-open rectangle of tile indices: one unit of work."""

    row0: int
    col0: int
    row1: int
    col1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return self.row1 - self.row0, self.col1 - self.col0

    def tiles(self) -> Iterator[tuple[int, int]]:
        """Tile indices, row by row."""
        for row in range(self.row0, self.row1):
            for col in range(self.col0, self.col1):
                yield row, col
