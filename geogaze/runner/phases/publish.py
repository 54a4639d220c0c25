"""The phase publish: the products of the whole job, and the description of all."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Claim, Part, Skipped
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.inputs import JobInputs
from geogaze.products.records import JobRecord
from geogaze.products.table import all_products, products_of
from geogaze.products.tiles import TileTable, standings
from geogaze.runner.ahead import ahead
from geogaze.runner.part import ChunkTable, load_table
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    make_product,
    open_heat,
    open_to_show,
)
from geogaze.runner.phases.retired import JobOutdated
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import unseen_tiles
from geogaze.timing import timed

Chunks = list[tuple[Chunk, ChunkTable]]


@timed("publish")
def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The tables, the contact sheet and the Item: what needs all that came before."""
    plan = Plan.model_validate(claim.plan)
    ledger, job = resources.ledger, facts_of(plan)
    parts, given_up = ledger.parts(claim.job_id, "explain"), ledger.skipped(claim.job_id)
    layers = ledger.parts(claim.job_id, "assemble")
    if not layers:
        raise JobOutdated
    chunks = _chunks(resources, plan, parts, given_up)
    found_heat = any(part.result["statistics"] for part in layers)
    done = chunks[: len(parts)]  # the others say for themselves why they were given up
    skipped = unseen_tiles(plan, parts, done, given_up, found_heat=found_heat)
    table = _tile_table(chunks)
    pulse(0)
    inputs = JobInputs(
        job=job,
        table=table,
        standing=standings(job, table),
        heat_of=open_heat(resources, claim, plan),
        record=_record(resources, claim, plan, parts, layers),
        open_scene=partial(open_to_show, resources, plan),
        scratch=scratch,
        pulse=pulse,
    )
    for product in products_of("publish", plan):
        asset = make_product(resources, claim, product, inputs)
        inputs = replace(inputs, record=_with(inputs.record, product.name, asset, plan))
        pulse(0)
    return Outcome({"assets": {"files": inputs.record.assets, "skipped": skipped}})


def _chunks(resources: Resources, plan: Plan, parts: list[Part], given_up: list[Skipped]) -> Chunks:
    """All chunks with their tables, those that were given up last."""
    tables = ahead(lambda part: load_table(resources.storage, part, cells=False), parts)
    chunks = [(plan.chunk(p.root, p.rectangle), t) for p, t in zip(parts, tables, strict=True)]
    nothing = np.empty((0, 0), dtype=np.float32)
    for unit in given_up:
        chunk = plan.chunk(unit.root, unit.rectangle)
        chunks.append((chunk, ChunkTable.unseen(plan, len(list(chunk.tiles())), nothing)))
    return chunks


def _record(
    resources: Resources, claim: Claim, plan: Plan, parts: list[Part], layers: list[Part]
) -> JobRecord:
    """What the job has made before this phase."""
    made = {name: asset for part in layers for name, asset in part.result["products"].items()}
    return JobRecord(
        id=str(claim.job_id),
        created=resources.ledger.status(claim.job_id).created,
        assets=_ordered(made, plan),
        calibration={plan.layers[part.root]: part.result for part in layers},
        routes=sorted({part.result["path"] for part in parts} - {""}),
        ran=_ran(parts),
    )


def _ran(parts: list[Part]) -> list[dict[str, Any]]:
    """What the trunk was run by, each way once, in a fixed order."""
    ways = {json.dumps(way, sort_keys=True) for part in parts if (way := part.result.get("ran"))}
    return [json.loads(way) for way in sorted(ways)]


def _with(record: JobRecord, name: str, asset: dict[str, Any], plan: Plan) -> JobRecord:
    return replace(record, assets=_ordered({**record.assets, name: asset}, plan))


def _ordered(assets: dict[str, dict[str, Any]], plan: Plan) -> dict[str, dict[str, Any]]:
    """Assets as the table of products has them, and each layer's as the plan has it."""
    names = [
        product.named(layer)
        for product in all_products()
        for layer in (plan.layers if product.of_layer else ("",))
    ]
    return {name: assets[name] for name in names if name in assets}


def _tile_table(chunks: Chunks) -> TileTable:
    positions = np.array([tile for chunk, _ in chunks for tile in chunk.tiles()])
    order = np.lexsort((positions[:, 1], positions[:, 0]))

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(t, name) for _, t in chunks], axis=-1)[..., order]

    return TileTable(
        row=positions[order, 0],
        col=positions[order, 1],
        valid_fraction=joined("valid_fraction"),
        top=joined("top"),
        top_probability=joined("top_probability"),
        probabilities=joined("probabilities"),
    )
