"""The description of all other products."""

from __future__ import annotations

from pathlib import Path

from geogaze.products.make.inputs import JobInputs
from geogaze.products.stac import item_json


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``item``."""
    target.write_text(item_json(inputs.job, inputs.record, inputs.standing))
