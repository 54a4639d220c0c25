"""The scales of an earlier job, by which another is calibrated so that both compare. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geogaze.errors import InvalidRequest
from geogaze.wording import length

if TYPE_CHECKING:  # GDAL takes its time to load
    from geogaze.processes.explain.plan import Plan

_ALIKE = 0.1  # share by which cells may differ in size before it is worth a word


class Scales(BaseModel):
    """What the Item of a finished job says of how it was calibrated; the Item itself will do.

    ``method`` is its title; ``cell_metres`` the side of a heat cell; ``scales`` the evidence that
    became 1, by layer, of those that had any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    job: str = Field(max_length=255)
    model: str
    weights: str
    layer: str
    method: str
    context: str
    normalize: str
    cell_metres: float
    scales: dict[str, float]

    @model_validator(mode="before")
    @classmethod
    def _of_item(cls, values: Any) -> Any:
        """A STAC Item of results, reduced to what is needed of it."""
        if not isinstance(values, dict) or "properties" not in values:
            return values
        properties = values["properties"]
        if not isinstance(properties, dict) or "geogaze:scales" not in properties:
            raise ValueError("this Item describes no results of geogaze")
        names = ("model", "weights", "layer", "method", "context", "normalize", "scales")
        known = {name: properties.get(f"geogaze:{name}") for name in names}
        known["scales"] = {n: v for n, v in (known["scales"] or {}).items() if v}
        return known | {"job": values.get("id"), "cell_metres": properties.get("gsd")}

    def for_plan(self, plan: Plan) -> dict[str, float]:
        """The scale of each layer of a job.

        Raises:
            InvalidRequest: the evidence of the two is not of one kind, or a layer has no scale.
        """
        pairs = {
            "weights of the model": (self.weights, plan.bundle.weights),
            "network layer": (self.layer, plan.bundle.module),
            "method": (self.method, plan.explained_by.title),
            "context": (self.context, plan.context),
        }
        for what, (theirs, ours) in pairs.items():
            if theirs != ours:
                raise InvalidRequest(
                    f"scale_from: the {what} of the earlier job ({self.model}) is {theirs!r}, of "
                    f"this one ({plan.bundle.name}) {ours!r}: evidence of the two has no one scale."
                )
        if {self.normalize, plan.normalize} != {"job"}:
            raise InvalidRequest(
                "scale_from: only heat that is normalised by job has a scale; the earlier job has "
                f"normalize {self.normalize!r}, this one {plan.normalize!r}."
            )
        if lacking := _without_scale(plan.layers, self.scales):
            raise InvalidRequest(
                f"scale_from: the earlier job has no scale for {', '.join(lacking)}: it did not "
                "explain them, or found no evidence. Name others with classes; it has "
                f"{', '.join(self.scales) or 'none'}."
            )
        return {layer: self.scales[layer] for layer in plan.layers}

    def advice(self, plan: Plan) -> str | None:
        """What to say where the two jobs look at the ground through cells of other sizes."""
        if math.isclose(self.cell_metres, plan.cell_metres, rel_tol=_ALIKE):
            return None
        return (
            f"The scale is of a job whose heat cells are {length(self.cell_metres)}, here they are "
            f"{length(plan.cell_metres)}: things of another size give other evidence. Ask for the "
            "same --gsd."
        )


def _without_scale(layers: Collection[str], scales: dict[str, float]) -> list[str]:
    return [layer for layer in layers if not scales.get(layer, 0) > 0]
