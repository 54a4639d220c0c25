"""What putting a job's products together takes of a worker's memory."""

from __future__ import annotations

from geogaze.grid.lattice import Lattice

# Measured: sums, weights and heat of a layer's mosaic; a row of the table of tiles.
_CELL_BYTES = 43
_TILE_BYTES, _TILE_LAYER_BYTES = 1250, 12


def finishing_bytes(lattice: Lattice, tiles: int, columns: int, lanes: int) -> dict[str, int]:
    """Memory that a worker needs to finish a job: by what, in words.

    Args:
        lattice: of a layer; layers are mosaicked whole, as many at once as there are lanes.
        tiles: rows of the table of tiles, which is made at once.
        columns: layers that the table has a column of.
        lanes: units that a worker has in hand at once.
    """
    rows, cols = lattice.rows, lattice.cols
    return {
        f"layers of {rows:,} × {cols:,} cells": rows * cols * _CELL_BYTES * lanes,
        f"a table of {tiles:,} tiles": tiles * (_TILE_BYTES + _TILE_LAYER_BYTES * columns),
    }
