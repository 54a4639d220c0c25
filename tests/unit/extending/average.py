"""The process ``average``, as ``geogaze/processes/average.py`` would be, and its phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from pydantic import Field

from geogaze.config import Settings
from geogaze.ledger.records import Claim
from geogaze.processes.plan import ProcessPlan
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import Output, Process, Step
from geogaze.runner.phases.resources import Outcome, Resources, keep
from geogaze.runner.pulse import Pulse


class AverageRequest(ProcessRequest):
    """Inputs of the process ``average``."""

    values: tuple[float, ...] = Field(min_length=1, title="What to average")


class AveragePlan(ProcessPlan):
    """The plan: the values, one unit, one product."""

    process: ClassVar[str] = "average"

    values: tuple[float, ...]

    @property
    def content(self) -> str:
        return uuid4().hex  # nothing to be taken over by another job

    @property
    def products(self) -> frozenset[str]:
        return frozenset({"mean"})


def make_plan(request: AverageRequest, settings: Settings, *, local: bool = False) -> AveragePlan:
    return AveragePlan(values=request.values)


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The phase, in ``geogaze/runner/phases/average.py``."""
    plan = AveragePlan.read(claim.plan)
    path = scratch / "mean.json"
    path.write_text(json.dumps(sum(plan.values) / len(plan.values)))
    files = {"mean": keep(resources, claim, path, "application/json")}
    return Outcome({"assets": {"files": files, "skipped": []}})


AVERAGE = Process(
    id="average",
    title="Average values",
    description="The mean of some numbers.",
    request=AverageRequest,
    plan="tests.unit.extending.average:make_plan",
    order=(Step("average", "tests.unit.extending.average:run", 100, "averaging"),),
    outputs=lambda: {"mean": Output("The mean", "application/json")},
)
