"""The phase render: a layer drawn over the scene."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from geogaze.ledger.records import Claim
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.inputs import LayerInputs
from geogaze.products.table import products_of
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    layer_result,
    load_heat,
    make_product,
    open_to_show,
)
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One layer's pictures."""
    plan = Plan.model_validate(claim.plan)
    job, name = facts_of(plan), plan.layers[claim.root]
    heats = resources.ledger.parts(claim.job_id, "calibrate")
    inputs = LayerInputs(
        layer=job.layer(name),
        heat=load_heat(resources, plan, heats[claim.root], scratch),
        backdrop=job.backdrop,
        open_scene=partial(open_to_show, resources, plan),
        scratch=scratch,
        pulse=pulse,
    )
    assets = {
        product.named(name): make_product(resources, claim, product, inputs, name)
        for product in products_of("render", plan)
    }
    return Outcome(layer_result(assets))
