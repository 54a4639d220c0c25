"""What a unit of each phase does: one file for each. Its outcome is small JSON for the ledger."""

from __future__ import annotations

from geogaze.ledger.records import Claim
from geogaze.ledger.states import Phase
from geogaze.processes.explain.plan import Plan
from geogaze.runner.chunk import Pulse
from geogaze.runner.phases import calibrate, explain, publish, render
from geogaze.runner.phases.resources import Outcome, Resources
from geogaze.runner.scratch import scratch_folder

__all__ = ["PHASES", "Outcome", "Resources", "perform"]

PHASES = {
    Phase.EXPLAIN: explain.run,
    Phase.CALIBRATE: calibrate.run,
    Phase.RENDER: render.run,
    Phase.PUBLISH: publish.run,
}


def perform(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
    """Do a claimed unit's work, up to its commit."""
    plan = Plan.model_validate(claim.plan)
    with scratch_folder(resources.settings) as scratch:
        return PHASES[claim.phase](resources, claim, plan, pulse, scratch)
