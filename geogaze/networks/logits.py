"""Logits out of whatever a network answers with: a tensor, a tuple, a dict, an output object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from geogaze.errors import UnsupportedArchitecture

_NAMES = ("logits", "out")  # of transformers, and of torchvision's segmentation networks
_BOXES = ("boxes", "pred_boxes")  # of torchvision's detectors, and of DETR and its kin


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
    found = scores_in(output, images)
    if found.ndim != 2:
        raise _shaped(found, images)
    return found


def scores_in(output: Any, images: int | None = None) -> Tensor:
    """Logits (B, K) of a network's output, or maps of them (B, K, h, w) where it labels pixels.

    Args:
        output: what the network gave.
        images: B, how many it was given; None for as many as there are.

    Raises:
        UnsupportedArchitecture: as :func:`logits_of`.
    """
    found = output if isinstance(output, Tensor) else _first(output)
    if found is None or _has_boxes(output):
        raise UnsupportedArchitecture(_scoreless(output))
    images = images or len(found)
    if found.ndim < 2 and found.numel() and found.numel() % images == 0:
        found = found.reshape(images, -1)
    elif found.ndim == 4 and found.shape[2:] == (1, 1):
        found = found.flatten(1)
    if found.ndim not in {2, 4} or len(found) != images:
        raise _shaped(found, images)
    return found


def _shaped(found: Tensor, images: int) -> UnsupportedArchitecture:
    count = "one image" if images == 1 else f"{images} images"
    return UnsupportedArchitecture(
        f"The network gives {tuple(found.shape)} for {count}, not logits (images, classes)."
    )


def _scoreless(output: Any) -> str:
    if _has_boxes(output):
        return (
            "The network detects objects: it gives boxes, not one score of a class for an image. "
            "Import a classifier, or a network that labels pixels."
        )
    return (
        f"The network gives {type(output).__name__} without a tensor of scores in it: let it "
        "return logits (images, classes)."
    )


def _has_boxes(output: Any) -> bool:
    """Whether an output is of a detector: boxes for each image, however many."""
    parts = output if isinstance(output, tuple | list) else (output,)
    return any(
        name in part if isinstance(part, Mapping) else hasattr(part, name)
        for part in parts
        for name in _BOXES
    )


def _first(output: Any) -> Tensor | None:
    """The tensor of scores in an output that holds several things."""
    if isinstance(output, Mapping):
        entries = [*map(output.get, _NAMES), *output.values()]
    else:
        parts = output if isinstance(output, tuple | list) else ()
        entries = [*(getattr(output, name, None) for name in _NAMES), *parts]
    return next((value for value in entries if isinstance(value, Tensor)), None)
