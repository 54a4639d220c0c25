"""The process ``explain``: what a scene's heat takes and makes."""

from __future__ import annotations

from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.table import Output, Process, Step

_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"

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
        Step(
            "calibrate",
            "geogaze.runner.phases.calibrate:run",
            5,
            "blending and calibrating layer",
        ),
        Step("render", "geogaze.runner.phases.render:run", 8, "drawing overlay"),
        Step("publish", "geogaze.runner.phases.publish:run", 2, "publishing"),
    ),
    outputs={
        "heat-{class}": Output(
            "Heat of a class, one product for each: heat-airplane, heat-runway, …", _GEOTIFF
        ),
        "overlay-{class}": Output(
            "Heat over the scene, one product for each class unless overlays is false", _GEOTIFF
        ),
        "classes": Output("Best class of each cell, where classes is top", _GEOTIFF),
        "tiles": Output("Predictions for each tile, GeoParquet", "application/vnd.apache.parquet"),
        "preview": Output("Contact sheet", "image/png"),
        "item": Output("STAC Item", "application/geo+json"),
    },
    quote="geogaze.processes.explain.quote:quote_of",
    alike=("model", "method", "context"),
)
