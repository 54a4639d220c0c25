"""The phase calibrate: a layer's evidence blended, scaled and written as heat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.heat import Piece, blend
from geogaze.runner.ahead import ahead
from geogaze.runner.part import ChunkTable, load_evidence, load_table
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    make_layer_products,
)
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import check_empty


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer, from the evidence of all tiles to its heat."""
    plan = Plan.model_validate(claim.plan)
    name = plan.layers[claim.root]
    parts = resources.ledger.parts(claim.job_id, "explain")
    pieces = _pieces(resources, claim, plan, parts, pulse)
    heat, coverage = blend(plan.tiling, pieces, plan.normalize)
    if heat.statistics is None:
        check_empty(plan, name, parts, resources.ledger.skipped(claim.job_id), coverage)
    assets = make_layer_products(resources, claim, plan, heat, scratch, pulse)
    calibration = {"scale": heat.scale, "statistics": heat.statistics}
    return Outcome(assets | calibration)


def _pieces(
    resources: Resources, claim: Claim, plan: Plan, parts: list[Part], pulse: Pulse
) -> Iterator[Piece]:
    """One layer, piece by piece; each part is read once.

    Chunk by chunk, each row by row, also where a chunk was split: sums of floating-point numbers
    depend on their order, and the products must not depend on what went wrong on the way.
    """

    def load(part: Part) -> tuple[Chunk, ChunkTable, NDArray[np.float32]]:
        table = load_table(resources.storage, part)
        seen = int(table.seen.sum())
        maps = load_evidence(resources.storage, part, claim.root, seen, plan.tiling.cells)
        return plan.chunk(part.root, part.rectangle), table, maps

    loaded = zip(parts, ahead(load, parts), strict=True)
    for _, of_chunk in groupby(loaded, key=lambda pair: pair[0].root):
        piece = Piece([], [])
        for _, (chunk, table, maps) in of_chunk:
            piece.coverage.append((plan.tiling.chunk_cells(chunk), table.coverage))
            tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
            piece.maps.extend((*tile, evidence) for tile, evidence in zip(tiles, maps, strict=True))
        piece.maps.sort(key=lambda tile: tile[:2])
        yield piece
        pulse(0)
