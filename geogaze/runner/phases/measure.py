"""The phase measure: what a network says of a strip of tiles, and of what lies on them."""

from __future__ import annotations

from pathlib import Path

from geogaze.audit.measuring import measure
from geogaze.audit.packing import Columns, columns_of
from geogaze.audit.sites import open_site
from geogaze.evidence.engines import load_engine
from geogaze.grid.rectangles import area
from geogaze.ledger.records import Claim
from geogaze.processes.audit.plan import AuditPlan
from geogaze.runner.audited import is_lenient, kept
from geogaze.runner.phases.resources import Outcome, Resources, resolve_bundle
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One strip, scene by scene."""
    plan = AuditPlan.read(claim.plan)
    settings = resources.settings
    engine = load_engine(resolve_bundle(plan, settings), settings)
    strip = claim.rectangle or plan.strips.rectangle(claim.root)
    found: dict[int, Columns] = {}
    showing: dict[int, bool] = {}
    for at, numbers in plan.pieces(strip):
        lenient = is_lenient(settings, claim, plan, at)
        with open_site(plan, at, settings, lenient=lenient) as site:
            places = plan.sites[at].places(numbers)
            if measured := measure(site, engine, plan.target, places, pulse):
                found[at] = columns_of(measured)
                showing[at] = bool(measured.shows.any())
    return Outcome(kept(resources.storage, claim, found, showing), items=area(strip))
