"""The phase calibrate: a layer's evidence blended, scaled and written as heat."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.heat import TileMap, blend
from geogaze.products.make.inputs import LayerInputs
from geogaze.products.table import products_of
from geogaze.runner.ahead import ahead
from geogaze.runner.part import ChunkTable, load_evidence, load_table
from geogaze.runner.phases.resources import Outcome, Resources, make_product, open_to_show
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import check_empty


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer, from the evidence of all tiles to its heat."""
    plan = Plan.model_validate(claim.plan)
    job, name = facts_of(plan), plan.layers[claim.root]
    parts = resources.ledger.parts(claim.job_id, "explain")
    coverage = _coverage(resources, plan, parts, pulse)
    maps = _maps(resources, claim, plan, parts, pulse)
    heat = blend(plan.tiling, maps, coverage, plan.normalize)
    if heat.statistics is None:
        check_empty(plan, name, parts, resources.ledger.skipped(claim.job_id), coverage)
    inputs = LayerInputs(
        layer=job.layer(name),
        heat=heat,
        backdrop=job.backdrop,
        open_scene=partial(open_to_show, resources, plan),
        scratch=scratch,
        pulse=pulse,
    )
    assets = {
        product.named(name): make_product(resources, claim, product, inputs, name)
        for product in products_of("calibrate", plan)
    }
    return Outcome({"products": assets, "scale": heat.scale, "statistics": heat.statistics})


def _coverage(
    resources: Resources, plan: Plan, parts: list[Part], pulse: Pulse
) -> NDArray[np.float32]:
    """The share of each lattice cell that is valid (rows, cols)."""
    coverage = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    tables = ahead(lambda part: load_table(resources.storage, part), parts)
    for part, table in zip(parts, tables, strict=True):
        chunk = plan.chunk(part.root, part.rectangle)
        row0, col0, row1, col1 = plan.tiling.chunk_cells(chunk)
        coverage[row0:row1, col0:col1] = table.coverage
        pulse(0)
    return coverage


def _maps(
    resources: Resources, claim: Claim, plan: Plan, parts: list[Part], pulse: Pulse
) -> Iterator[TileMap]:
    """Maps of all tiles of one layer.

    Chunk by chunk, each row by row, also where a chunk was split: sums of floating-point numbers
    depend on their order, and the products must not depend on what went wrong on the way.
    """

    def load(part: Part) -> tuple[Chunk, ChunkTable, NDArray[np.float32]]:
        table = load_table(resources.storage, part)
        seen = int(table.seen.sum())
        maps = load_evidence(resources.storage, part, claim.root, seen, plan.tiling.cells)
        return plan.chunk(part.root, part.rectangle), table, maps

    loaded = zip(parts, ahead(load, parts), strict=True)
    for _, pieces in groupby(loaded, key=lambda pair: pair[0].root):
        tile_maps: list[tuple[tuple[int, int], NDArray[np.float32]]] = []
        for _, (chunk, table, maps) in pieces:
            tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
            tile_maps.extend(zip(tiles, maps, strict=True))
        for (row, col), evidence in sorted(tile_maps, key=lambda tile: tile[0]):
            yield row, col, evidence
        pulse(0)
