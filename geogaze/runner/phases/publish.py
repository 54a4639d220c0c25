"""The phase publish: the products of the whole job, and the description of all."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.inputs import JobInputs
from geogaze.products.records import JobRecord
from geogaze.products.table import all_products, products_of
from geogaze.products.tiles import Tally, standings
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    make_product,
    open_drawn,
    open_heat,
    open_to_show,
)
from geogaze.runner.phases.retired import JobOutdated
from geogaze.runner.pulse import Pulse
from geogaze.runner.tables import PartTables
from geogaze.runner.unseen import Unseen
from geogaze.timing import timed


@timed("publish")
def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The tables, the contact sheet and the Item: what needs all that came before."""
    plan = Plan.read(claim.plan)
    ledger, job = resources.ledger, facts_of(plan)
    parts, given_up = ledger.parts(claim.job_id, "explain"), ledger.skipped(claim.job_id)
    layers = ledger.parts(claim.job_id, "assemble")
    if not layers:
        raise JobOutdated
    tables = PartTables(resources.storage, plan, parts, given_up)
    unseen, tally = Unseen(plan, parts, given_up), Tally(job)
    for chunk, table in tables.done():
        unseen.add(chunk, table)
        tally.add(table.top, table.top_probability, table.probabilities, table.nowhere)
        pulse(0)
    inputs = JobInputs(
        job=job,
        tiles=tables.tiles,
        tally=tally,
        standing=standings(job, tally),
        heat_of=open_heat(resources, claim, plan),
        drawn=open_drawn(resources, claim, pulse),
        record=_record(resources, claim, plan, parts, layers),
        open_scene=partial(open_to_show, resources, plan),
        scratch=scratch,
        pulse=pulse,
    )
    for product in products_of("publish", plan):
        asset = make_product(resources, claim, product, inputs)
        inputs = replace(inputs, record=_with(inputs.record, product.name, asset, plan))
        pulse(0)
    found_heat = any(part.result["statistics"] for part in layers)
    skipped = unseen.reasons(found_heat=found_heat)
    return Outcome({"assets": {"files": inputs.record.assets, "skipped": skipped}})


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
