"""The phase assemble: a layer's files, from its blocks and from what the phase draw has left."""

from __future__ import annotations

from pathlib import Path

from geogaze.ledger.records import Claim
from geogaze.processes.explain.plan import Plan
from geogaze.runner.phases.resources import Outcome, Resources, make_layer_products, open_heat
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer's heat and its pictures."""
    plan = Plan.model_validate(claim.plan)
    heat = open_heat(resources, claim, plan)(claim.root)
    assets = make_layer_products(resources, claim, plan, heat, scratch, pulse)
    return Outcome(assets | {"scale": heat.scale, "statistics": heat.statistics})
