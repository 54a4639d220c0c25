"""The phase change: what really happens on one scene when the world is changed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from geogaze.audit.causing import change
from geogaze.audit.packing import columns_of
from geogaze.audit.sites import open_site
from geogaze.evidence.engines import load_engine
from geogaze.ledger.records import Claim
from geogaze.processes.audit.plan import AuditPlan
from geogaze.runner.audited import Audited, is_lenient, kept
from geogaze.runner.phases.resources import Outcome, Resources, resolve_bundle
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One scene, if it has a tile that is known in full and shows an object."""
    plan, at = AuditPlan.read(claim.plan), claim.root
    settings, found = resources.settings, {}
    audited = Audited(resources.ledger, resources.storage, claim, plan)
    if measured := audited.measured(at):
        engine = load_engine(resolve_bundle(plan, settings), settings)
        lenient = is_lenient(settings, claim, plan, at)
        with open_site(plan, at, settings, lenient=lenient, on_tile=partial(pulse, 0)) as site:
            target, score = plan.target, (plan.target, None)
            effects = change(site, measured, engine, target, score, plan.changed, plan.seed)
        if effects:
            found[at] = columns_of(effects)
    return Outcome(kept(resources.storage, claim, found, {}))
