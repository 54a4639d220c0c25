"""The scales of an earlier job, by which another is calibrated so that both compare. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        if isinstance(scales := known["scales"], dict):
            known["scales"] = {layer: scale for layer, scale in scales.items() if scale}
        return known | {"job": values.get("id"), "cell_metres": properties.get("gsd")}
