"""The phase render: a layer drawn over the scene."""

from __future__ import annotations

from pathlib import Path

from geogaze.files import file_stem
from geogaze.ledger.records import Claim
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import cog
from geogaze.products.make.overlay import write_overlay
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    keep,
    load_heat,
    open_to_show,
)
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer's overlay."""
    plan = Plan.model_validate(claim.plan)
    layer = plan.layers[claim.root]
    heat_part = resources.ledger.parts(claim.job_id, "calibrate")[claim.root]
    heat = load_heat(resources, heat_part, scratch)
    target = scratch / f"overlay-{file_stem(layer)}.tif"
    with open_to_show(resources, plan) as reader:
        write_overlay(plan, reader, heat, layer, target, scratch, pulse)
    return Outcome({"asset": keep(resources, claim, target, cog.MEDIA_TYPE)})
