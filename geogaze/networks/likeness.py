"""Which architecture weights look like, by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from torch import Tensor
from torchvision.models import get_model_weights

from geogaze.networks.architectures import build, torchvision_architectures

_PUBLISHED = 1000  # classes
_WIDEST = 8192  # features that any of torchvision's classifiers ends with, and then some
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Likeness:
    """A torchvision architecture, and the number of classes."""

    architecture: str
    classes: int


def likeness(state: Mapping[str, Tensor]) -> Likeness | None:
    """What a state dict looks like; None where no architecture fits, or more than one does.

    Auxiliary classifiers, which only train, do not count.
    """
    shapes = _shapes(state)
    regnet = any(name.startswith("trunk_output.") for name in state)
    alike = [
        Likeness(name, classes)
        for name in torchvision_architectures()
        # RegNets take memory to build.
        if name.startswith("regnet") == regnet
        and _near(name, _parameters(state))
        and (classes := _classes(name, shapes))
    ]
    return alike[0] if len(alike) == 1 else None


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(value.shape)
        for name, value in state.items()
        if not name.lower().startswith("aux") and not name.endswith("num_batches_tracked")
    }


def _parameters(state: Mapping[str, Tensor]) -> int:
    return sum(
        value.numel()
        for name, value in state.items()
        if not name.lower().startswith("aux") and not name.endswith(_BUFFERS)
    )


def _near(architecture: str, parameters: int) -> bool:
    """Whether it may have so many parameters, with some number of classes; spares building it."""
    published: int = get_model_weights(architecture).DEFAULT.meta["num_params"]
    return abs(parameters - published) <= max(_PUBLISHED * _WIDEST, published // 10)


@cache
def _published(architecture: str) -> dict[str, tuple[int, ...]]:
    """Its shapes; building it takes tenths of a second."""
    return _shapes(build(architecture, _PUBLISHED).state_dict())


def _classes(architecture: str, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """With how many classes the shapes are an architecture's; 0 where they are not."""
    own = _published(architecture)
    if own.keys() != shapes.keys():
        return 0
    other = [name for name, shape in own.items() if shapes[name] != shape]
    counts = {shapes[name][:1] for name in other} or {(_PUBLISHED,)}
    heads = all(own[name] == (_PUBLISHED, *shapes[name][1:]) for name in other)
    return next(iter(counts))[0] if heads and len(counts) == 1 else 0
