"""What putting a job's products together takes of a worker's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geogaze.config import Settings

if TYPE_CHECKING:  # GDAL takes its time to load
    from geogaze.processes.explain.plan import Plan

# Measured: sums, weights and heat of a layer's mosaic; a row of the table of tiles.
_CELL_BYTES = 43
_TILE_BYTES, _TILE_LAYER_BYTES = 1250, 12


def finishing_of(plan: Plan, settings: Settings) -> dict[str, int]:
    """Memory that a worker needs to finish a job: by what, in words.

    Layers are mosaicked whole, as many at once as there are lanes; the table of tiles, which has a
    column for each layer but ``top``, is made at once.
    """
    rows, cols, tiles = plan.lattice.rows, plan.lattice.cols, plan.tiles
    columns = 0 if plan.targets is None else len(plan.layers)
    return {
        f"layers of {rows:,} × {cols:,} cells": rows * cols * _CELL_BYTES * settings.lanes,
        f"a table of {tiles:,} tiles": tiles * (_TILE_BYTES + _TILE_LAYER_BYTES * columns),
    }
