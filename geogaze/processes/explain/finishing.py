"""What putting a job's products together takes of a worker's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geogaze.config import Settings

if TYPE_CHECKING:  # GDAL takes its time to load
    from geogaze.processes.explain.plan import Plan

# Of each cell and layer that is blended: its sum, the mean of it, and room for the division.
_BLEND_BYTES = 24


def finishing_of(plan: Plan, settings: Settings) -> dict[str, int]:
    """Memory that a worker needs to finish a job: by what, in words.

    Layers are finished by blocks, of which each lane has one, whatever the size of the lattice, and
    the evidence of a unit beside it. The table of tiles and the classes of ``top`` are written
    piece by piece too, in less.
    """
    row0, col0, row1, col1 = plan.blocks.rectangle(0)
    cells = (row1 - row0) * (col1 - col0)
    evidence = min(settings.chunk_bytes, plan.tiles * len(plan.layers) * plan.tiling.cells**2 * 4)
    block = cells * plan.layers_at_once * plan.mosaics * _BLEND_BYTES + evidence
    return {f"blocks of {row1 - row0:,} × {col1 - col0:,} cells": block * settings.lanes}
