"""The phase assemble: a layer's files, from its blocks and from what the phase draw has left."""

from __future__ import annotations

from pathlib import Path

from geogaze.grid.seams import Seams
from geogaze.ledger.records import Claim
from geogaze.processes.explain.plan import Plan
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    make_layer_products,
    open_heat,
    open_spread,
)
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer's heat, what is told of it, and its pictures."""
    plan = Plan.read(claim.plan)
    heat = open_heat(resources, claim, plan)(claim.root)
    spread = open_spread(resources, claim, plan, heat) if plan.stability else None
    assets = make_layer_products(resources, claim, plan, heat, spread, scratch, pulse)
    seams = Seams(plan.tiling)
    for box in heat.boxes:
        seams.add(heat.window(box), box)
    known = {"scale": heat.scale, "peak": heat.peak, "statistics": heat.statistics}
    known |= {"seams": seams.score}
    return Outcome(assets | known | ({"spread": spread.statistics} if spread else {}))
