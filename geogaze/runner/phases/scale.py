"""The phase scale: what evidence of each layer becomes 1, from what all blocks have counted, or as
an earlier job had it.
"""

from __future__ import annotations

from pathlib import Path

from geogaze.grid.sketch import Sketch
from geogaze.ledger.records import Claim, Part
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.heat import QUANTILE, scale_of
from geogaze.runner.block import load_sketches
from geogaze.runner.phases.resources import Outcome, Resources
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import check_empty
from geogaze.storage.ahead import ahead

_AT_ONCE = 16  # blocks whose sketches are in memory


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """All layers. No order of blocks, and no other division into them, gives other scales."""
    plan, ledger = Plan.read(claim.plan), resources.ledger
    blocks = ledger.parts(claim.job_id, "blend")
    total = [Sketch.merged([]) for _ in plan.layers]
    for first in range(0, len(blocks), _AT_ONCE):
        some = blocks[first : first + _AT_ONCE]
        several = ahead(lambda part: load_sketches(resources.storage, part), some)
        total = [Sketch.merged(of_layer) for of_layer in zip(total, *several, strict=True)]
        pulse(0)
    peaks = [
        max((peak for peak in of_layer if peak is not None), default=None)
        for of_layer in zip(*(part.result["peaks"] for part in blocks), strict=True)
    ]
    for name, peak in zip(plan.layers, peaks, strict=True):
        if peak is None:
            parts = ledger.parts(claim.job_id, "explain")
            covered = any(part.result["covered"] for part in blocks)
            check_empty(plan, name, parts, ledger.skipped(claim.job_id), covered=covered)
    scales = [
        plan.scales[name] if plan.scales else scale_of(one, plan.normalize)
        for name, one in zip(plan.layers, total, strict=True)
    ]
    drawn = _drawn(plan, ledger.parts(claim.job_id, "explain"))
    peak = max((one.quantile(QUANTILE) for one in total), default=0.0)
    return Outcome({"scales": scales, "peaks": peaks, "peak": peak, "drawn": drawn})


def _drawn(plan: Plan, parts: list[Part]) -> list[int]:
    """Positions of the layers that get an overlay."""
    everything = list(range(len(plan.layers)))
    if plan.overlays == "none":
        return []
    # Scores that are none of classes do not compare, so that none is best.
    if plan.overlays == "all" or plan.targets is None or plan.bundle.probabilities == "none":
        return everything
    if any("won" not in part.result for part in parts):  # explained by an earlier release
        return everything
    won = {index for part in parts for index in part.result["won"]}
    # A layer stands for its first class; one that is against a class, for that.
    return [
        number
        for number, (plus, minus) in enumerate(plan.targets)
        if (minus if plus is None else plus) in won
    ]
