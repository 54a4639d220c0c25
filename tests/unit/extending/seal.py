"""The phase ``seal``, as ``geogaze/runner/phases/seal.py`` would be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from geogaze.ledger.records import Claim
from geogaze.processes.echo import ECHO
from geogaze.processes.table import Step
from geogaze.runner.phases.resources import Outcome, Resources, keep
from geogaze.runner.pulse import Pulse


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The hashes of what the phase echo kept, as one more product."""
    (part,) = resources.ledger.parts(claim.job_id, "echo")
    assets = part.result["assets"]
    path = scratch / "seal.json"
    path.write_text(json.dumps({name: f["sha256"] for name, f in assets["files"].items()}))
    files = {**assets["files"], "seal": keep(resources, claim, path, "application/json")}
    return Outcome({"assets": {**assets, "files": files}})


SEALED = replace(
    ECHO, order=(*ECHO.order, Step("seal", "tests.unit.extending.seal:run", 20, "sealing"))
)
"""The process echo with one line more."""
