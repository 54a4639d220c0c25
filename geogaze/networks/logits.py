"""Logits out of whatever a network answers with: a tensor, a tuple, a dict, an output object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from geogaze.errors import UnsupportedArchitecture

_NAMES = ("logits", "out")  # of transformers, and of torchvision's segmentation networks


def logits_of(output: Any, images: int) -> Tensor:
    """Logits (B, K) of a network's output.

    Of a mapping or an object the entry ``logits`` or ``out``, else its first tensor; of a tuple the
    first tensor. One logit for each image may come without the axis of classes.

    Args:
        output: what the network gave.
        images: B, how many it was given.

    Raises:
        UnsupportedArchitecture: there is no tensor in it, or none of that shape.
    """
    found = output if isinstance(output, Tensor) else _first(output)
    if found is None:
        raise UnsupportedArchitecture(
            f"The network gives {type(output).__name__} without a tensor of scores in it: let it "
            "return logits (images, classes)."
        )
    if found.ndim < 2 and found.numel() and found.numel() % images == 0:
        found = found.reshape(images, -1)
    elif found.ndim == 4 and found.shape[2:] == (1, 1):
        found = found.flatten(1)
    if found.ndim != 2 or len(found) != images:
        count = "one image" if images == 1 else f"{images} images"
        segments = " It labels pixels, not images." if found.ndim == 4 else ""
        raise UnsupportedArchitecture(
            f"The network gives {tuple(found.shape)} for {count}, not logits (images, "
            f"classes).{segments}"
        )
    return found


def _first(output: Any) -> Tensor | None:
    """The tensor of scores in an output that holds several things."""
    if isinstance(output, Mapping):
        entries = [*map(output.get, _NAMES), *output.values()]
    else:
        parts = output if isinstance(output, tuple | list) else ()
        entries = [*(getattr(output, name, None) for name in _NAMES), *parts]
    return next((value for value in entries if isinstance(value, Tensor)), None)
