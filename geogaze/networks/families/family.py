"""What a family of networks tells: its names, how it is built, where it is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torchvision import models

from geogaze.networks.captured import Captured
from geogaze.networks.split import Split

Build = Callable[[str, int, bool], nn.Module]
"""``(architecture, classes, published)``: a network of that name with so many logits; the last says
that the weights its authors published will be loaded.
"""


def torchvision_network(
    architecture: str,
    classes: int,
    published: bool,  # noqa: FBT001  a Build
    **options: Any,
) -> nn.Module:
    """Torchvision's network of that name; ``options`` are its constructor's own."""
    model: nn.Module = models.get_model(architecture, weights=None, num_classes=classes, **options)
    return model


@dataclass(frozen=True)
class Family:
    """Networks that are cut alike.

    ``prefixes`` begin the names of its architectures. ``types`` are its networks' classes.
    ``split`` cuts one of them, so that ``head(trunk(x))`` is the network itself, or names a layer
    where it cannot be. ``names`` are its
    architectures; without any, torchvision's that begin so. ``on_meta`` says that it can be built
    on the meta device, where parameters take no memory.
    """

    prefixes: tuple[str, ...]
    types: tuple[type[nn.Module], ...]
    split: Callable[[Any], Split | Captured]
    build: Build = torchvision_network
    names: Sequence[str] = ()
    on_meta: bool = True

    @property
    def architectures(self) -> list[str]:
        """Names of its architectures, as a user gives them."""
        offered = self.names or models.list_models(module=models)
        return [name for name in offered if name.startswith(self.prefixes)]
