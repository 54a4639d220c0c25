"""Layers that a network can be looked at, for those who name none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_FEWEST = 2  # cells along a side; less is no map


def last_map(model: nn.Module, images: Tensor) -> str | None:
    """The last module that runs once and gives maps (B, C, g, g), by its name; None: there is none.

    Args:
        model: in evaluation mode.
        images: (B, bands, T, T) that it takes.
    """
    return next(reversed(_given(model, images)), None)


def deepest_map(model: nn.Module, images: Tensor) -> str | None:
    """Of a network that labels pixels, the end of its encoder: of modules that give the fewest
    cells the last one that lies in the fewest others. Its last maps are the labels themselves.
    """
    cells = _given(model, images)
    deepest = [name for name, count in cells.items() if count == min(cells.values())]
    return min(reversed(deepest), key=lambda name: name.count("."), default=None)


def _given(model: nn.Module, images: Tensor) -> dict[str, int]:
    """Modules that run once and give maps, in the order of running, and cells along a side."""
    given: dict[str, list[Any]] = {}

    def hook(name: str) -> Any:
        return lambda module, inputs, output: given.setdefault(name, []).append(output)

    handles = [
        module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name
    ]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    fitting = {name: outputs[0] for name, outputs in given.items() if len(outputs) == 1}
    return {name: output.shape[2] for name, output in fitting.items() if _maps(output)}


def _maps(output: Any) -> bool:
    """Whether it is maps of a square image; attention's heads and channels last are none."""
    if not isinstance(output, Tensor) or output.ndim != 4:
        return False
    rows, cols = output.shape[2:]
    return rows == cols >= _FEWEST
