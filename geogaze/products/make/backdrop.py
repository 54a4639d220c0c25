"""The scene as pictures show it behind heat, by itself: what pages lay heat over."""

from __future__ import annotations

from pathlib import Path

from geogaze.products.make.inputs import JobInputs
from geogaze.products.make.overlay import write_drawn


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``backdrop``."""
    write_drawn(inputs.drawn, inputs.job.backdrop, {}, target)
