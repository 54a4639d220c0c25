"""The phase judge: what comes of all that was found, as the products of an audit."""

from __future__ import annotations

from pathlib import Path

from geogaze.audit.auditing import judged
from geogaze.audit.collecting import write_geopackage
from geogaze.audit.document import document
from geogaze.audit.writing import write_told
from geogaze.ledger.records import Claim
from geogaze.outputs import AUDIT_FILES
from geogaze.processes.audit.plan import AuditPlan
from geogaze.processes.audit.process import OUTPUTS
from geogaze.runner.audited import Audited
from geogaze.runner.phases.resources import Outcome, Resources, keep
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The whole audit."""
    plan = AuditPlan.read(claim.plan)
    audited = Audited(resources.ledger, resources.storage, claim, plan)
    seen = []
    for at in audited.showing():
        if one := audited.seen(at):
            seen.append(one)
        pulse(0)
    found = judged(plan, seen)
    write_told(document(found), scratch)
    write_geopackage(found.collect, scratch / AUDIT_FILES["collect"])
    files = {
        name: keep(resources, claim, scratch / AUDIT_FILES[name], output.media_type)
        for name, output in OUTPUTS.items()
    }
    return Outcome({"assets": {"files": files, "skipped": []}})
