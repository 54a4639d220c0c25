"""The phase randomise: where the same network would look had it learned nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from geogaze.audit.auditing import without_learning
from geogaze.audit.sites import open_site
from geogaze.ledger.records import Claim
from geogaze.processes.audit.plan import AuditPlan
from geogaze.runner.audited import EVIDENCE, Audited, is_lenient, kept
from geogaze.runner.phases.resources import Outcome, Resources, resolve_bundle
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One strip of tiles: those of it that lie on scenes that are looked at so.

    A worker without torch leaves none, and the audit goes without this baseline.
    """
    plan = AuditPlan.read(claim.plan)
    settings = resources.settings
    without = without_learning(resolve_bundle(plan, settings))
    audited = Audited(resources.ledger, resources.storage, claim, plan)
    seeds = audited.seeds_of_random() if without else {}
    found = {}
    for at, _ in plan.pieces(plan.strips.rectangle(claim.root)):
        measured = audited.measured(at, claim.root) if at in seeds else None
        if without is None or measured is None:
            continue
        lenient = is_lenient(settings, claim, plan, at)
        with open_site(plan, at, settings, lenient=lenient, on_tile=partial(pulse, 0)) as site:
            evidence = without(site, measured.at, plan.target, seeds[at])
        found[at] = {EVIDENCE: evidence}
    return Outcome(kept(resources.storage, claim, found, {}))
