"""The phase assemble: a layer's pictures, put together from what the phase draw has left."""

from __future__ import annotations

from pathlib import Path

from geogaze.ledger.records import Claim
from geogaze.processes.explain.plan import Plan
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    load_heat,
    make_layer_products,
)
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer's pictures."""
    plan = Plan.model_validate(claim.plan)
    heats = resources.ledger.parts(claim.job_id, "calibrate")
    heat = load_heat(resources, plan, heats[claim.root], scratch)
    return Outcome(make_layer_products(resources, claim, plan, heat, scratch, pulse))
