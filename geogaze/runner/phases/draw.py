"""The phase draw: a part of the scene by itself and under every layer, encoded block by block."""

from __future__ import annotations

from pathlib import Path

from geogaze.cores import usable_cores
from geogaze.ledger.records import Claim
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.overlay import draw_unit
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    drawn_layers,
    open_heat,
    open_to_show,
)
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One unit of the canvas: read once, drawn once, and painted where heat shows of those layers
    that get an overlay.
    """
    plan = Plan.read(claim.plan)
    job = facts_of(plan)
    canvas = plan.canvas
    heat_of = open_heat(resources, claim, plan)
    drawn = drawn_layers(resources, claim, plan)
    layers = ((job.layer(plan.layers[number]), heat_of(number)) for number in drawn)
    threads = resources.settings.torch_threads or usable_cores()
    path, ends = scratch / "drawn", [0]
    with open_to_show(resources, plan) as scene, path.open("wb") as file:
        box = canvas.units.rectangle(claim.root)
        drawing = draw_unit(scene, job.backdrop, box, canvas.level, layers, pulse, threads)
        for segment in drawing:
            ends.append(ends[-1] + file.write(segment))
    resources.storage.take_file(f"{claim.prefix}drawn", path, "application/octet-stream")
    return Outcome({"ends": ends})
