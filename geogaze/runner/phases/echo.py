"""The phase echo: the inputs, together and each as a file."""

from __future__ import annotations

import json
import time
from pathlib import Path

from geogaze.ledger.records import Claim
from geogaze.processes.echo import EchoPlan
from geogaze.runner.phases.resources import Outcome, Resources, keep
from geogaze.runner.pulse import Pulse

_STEP_SECONDS = 0.2  # how soon a job that is dismissed is let go


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """Wait for as long as was asked, then write the inputs."""
    plan = EchoPlan.read(claim.plan)
    until = time.monotonic() + plan.pause
    while (left := until - time.monotonic()) > 0:
        pulse(0)
        time.sleep(min(left, _STEP_SECONDS))
    files = {}
    for name, value in {"echo": plan.inputs, **plan.inputs}.items():
        path = scratch / f"{name}.json"
        path.write_text(json.dumps(value))
        files[name] = keep(resources, claim, path, "application/json")
    return Outcome({"assets": {"files": files, "skipped": []}})
