"""The phase calibrate: a layer's evidence blended, scaled and written as heat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.files import file_stem
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import cog
from geogaze.products.make.heat import TileMap, blend, write_heat
from geogaze.runner.ahead import ahead
from geogaze.runner.part import ChunkTable, load_evidence, load_table
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    keep,
)
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import check_empty


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer, from the evidence of all tiles to its heat."""
    plan = Plan.model_validate(claim.plan)
    layer = plan.layers[claim.root]
    coverage = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    heat = blend(plan, _maps(resources, claim, plan, coverage, pulse), coverage)
    if heat.statistics is None:
        parts = resources.ledger.parts(claim.job_id, "explain")
        check_empty(plan, layer, parts, resources.ledger.skipped(claim.job_id), coverage)
    target = scratch / f"heat-{file_stem(layer)}.tif"
    write_heat(heat, plan, layer, target, scratch)
    asset = keep(resources, claim, target, cog.MEDIA_TYPE)
    return Outcome({"asset": asset, "scale": heat.scale, "statistics": heat.statistics})


def _maps(
    resources: Resources, claim: Claim, plan: Plan, coverage: NDArray[np.float32], pulse: Pulse
) -> Iterator[TileMap]:
    """Maps of all tiles of one layer; fills ``coverage`` on the way.

    Chunk by chunk, each row by row, also where a chunk was split: sums of floating-point numbers
    depend on their order, and the products must not depend on what went wrong on the way.
    """

    def load(part: Part) -> tuple[Chunk, ChunkTable, NDArray[np.float32]]:
        table = load_table(resources.storage, part)
        seen = int(table.seen.sum())
        maps = load_evidence(resources.storage, part, claim.root, seen, plan.tiling.cells)
        return plan.chunk(part.root, part.rectangle), table, maps

    parts = resources.ledger.parts(claim.job_id, "explain")
    loaded = zip(parts, ahead(load, parts), strict=True)
    for _, pieces in groupby(loaded, key=lambda pair: pair[0].root):
        found: list[tuple[tuple[int, int], NDArray[np.float32]]] = []
        for _, (chunk, table, maps) in pieces:
            row0, col0, row1, col1 = plan.tiling.chunk_cells(chunk)
            coverage[row0:row1, col0:col1] = table.coverage
            tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
            found.extend(zip(tiles, maps, strict=True))
        for (row, col), evidence in sorted(found, key=lambda tile: tile[0]):
            yield row, col, evidence
        pulse(0)
