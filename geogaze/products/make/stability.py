"""How much heat depends on where tiles happen to lie: a layer beside each layer of heat."""

from __future__ import annotations

from pathlib import Path

from geogaze.products.make.heat import write_heat
from geogaze.products.make.inputs import LayerInputs


def make(inputs: LayerInputs, target: Path) -> None:
    """The product ``stability-{class}``."""
    if inputs.spread is None:
        raise LookupError("The job was not planned with shifted grids: a bug.")
    meaning = f"standard deviation of {inputs.layer.method} heat under shifted tiles"
    write_heat(inputs.spread, inputs.layer, target, inputs.scratch, meaning)
