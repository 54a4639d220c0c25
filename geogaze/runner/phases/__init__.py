"""What a unit of each phase does: one file for each. Its outcome is small JSON for the ledger.

A phase is a function ``run(resources, claim, pulse, scratch)`` that makes of the claim's plan what
its process says, and hands an outcome to the ledger. Which there are, the table of processes says.
"""

from __future__ import annotations

from geogaze.doors import resolve
from geogaze.errors import ReleaseDiffers
from geogaze.ledger.records import Claim
from geogaze.processes.table import phase_references
from geogaze.products.asking import check_products
from geogaze.runner.phases.resources import Outcome, Resources
from geogaze.runner.phases.retired import RETIRED, JobOutdated
from geogaze.runner.pulse import Pulse
from geogaze.runner.scratch import scratch_folder

__all__ = ["Outcome", "Resources", "load_phases", "perform"]


def load_phases() -> None:
    """Import all phases and makers of products, so that what is missing shows before any work.

    Raises:
        LookupError: a process or product names a function that is not there.
    """
    phases = phase_references()
    for reference in phases.values():
        resolve(reference)
    check_products(phases)


def perform(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
    """Do a claimed unit's work, up to its commit.

    Raises:
        JobOutdated: the phase is one of an older release.
        ReleaseDiffers: this worker's release has no such phase, or cannot read the plan.
    """
    if claim.phase in RETIRED:
        raise JobOutdated
    references = phase_references()
    if claim.phase not in references:
        raise ReleaseDiffers(
            f"This worker knows no phase {claim.phase!r}; it has {', '.join(references)}. Run the "
            "same version of geogaze everywhere."
        )
    run = resolve(references[claim.phase])
    with scratch_folder(resources.settings) as scratch:
        outcome: Outcome = run(resources, claim, pulse, scratch)
    return outcome
