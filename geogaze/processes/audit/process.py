"""The process ``audit``: its inputs, phases and products."""

from __future__ import annotations

from geogaze.processes.audit.request import AuditRequest
from geogaze.processes.table import Output, Process, Step
from geogaze.products.product import GEOPACKAGE

OUTPUTS = {
    "audit": Output("Figures and verdict, for programs", "application/json"),
    "report": Output("The audit, to read and to print", "text/html"),
    "collect": Output("Tiles to label next", GEOPACKAGE),
}
"""What each product is."""


AUDIT = Process(
    id="audit",
    title="Audit a class",
    description="Does a network look at the object, or at what surrounds it? Adds up evidence by "
    "what lies under it on scenes whose objects are known, takes objects out, and judges.",
    request=AuditRequest,
    plan="geogaze.processes.audit.planning:make_plan",
    order=(
        Step(
            "measure",
            "geogaze.runner.phases.measure:run",
            60,
            "looking",
            noun="tiles",
            shared=True,
        ),
        Step("randomise", "geogaze.runner.phases.randomise:run", 10, "looking with random weights"),
        Step("change", "geogaze.runner.phases.change:run", 28, "changing the world of scene"),
        Step("judge", "geogaze.runner.phases.judge:run", 2, "judging"),
    ),
    outputs=lambda: OUTPUTS,
)
