"""The process ``explain``: what a scene's heat takes and makes."""

from __future__ import annotations

from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.table import Output, Process, Step
from geogaze.products.table import all_products


def _outputs() -> dict[str, Output]:
    return {product.name: Output(product.offer, product.media_type) for product in all_products()}


EXPLAIN = Process(
    id="explain",
    title="Explain a scene",
    description="Grad-CAM heat of every class of an image classifier over a whole scene.",
    request=ExplainRequest,
    plan="geogaze.processes.explain.planning:make_plan",
    order=(
        Step(
            "explain",
            "geogaze.runner.phases.explain:run",
            85,
            "explaining",
            noun="tiles",
            shared=True,
        ),
        Step("blend", "geogaze.runner.phases.blend:run", 4, "blending block"),
        Step("scale", "geogaze.runner.phases.scale:run", 1, "scaling layers", stores=False),
        Step("draw", "geogaze.runner.phases.draw:run", 5, "drawing part"),
        Step("assemble", "geogaze.runner.phases.assemble:run", 3, "assembling layer"),
        Step("publish", "geogaze.runner.phases.publish:run", 2, "publishing"),
    ),
    outputs=_outputs,
    quote="geogaze.processes.explain.quote:quote_of",
    alike=("model", "method", "context"),
)
