"""Tables of tiles that fit in memory, as products are given those that may not."""

from __future__ import annotations

import numpy as np

from geogaze.grid.rectangles import Division, Rectangle
from geogaze.products.facts import JobFacts
from geogaze.products.tiles import Tally, Tiles, TileTable


def tally_of(job: JobFacts, table: TileTable) -> Tally:
    """What a table's tiles come to together, counted in two pieces."""
    tally, half = Tally(job), len(table.top) // 2
    for some in (np.s_[half:], np.s_[:half]):
        tally.add(table.top[some], table.top_probability[some], table.probabilities[:, some])
    return tally


def rectangles_of(table: TileTable, side: int = 2) -> Tiles:
    """A whole job's table, read by rectangles."""
    rows, cols = int(table.row.max()) + 1, int(table.col.max()) + 1

    def read(box: Rectangle) -> TileTable:
        row0, col0, row1, col1 = box
        at = np.arange(rows * cols).reshape(rows, cols)[row0:row1, col0:col1].ravel()
        some = {name: v[..., at] for name, v in vars(table).items() if v is not None}
        return TileTable(**some)

    return Tiles(Division(rows, cols, side), read)
