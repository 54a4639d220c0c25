"""A layer inside a network that cannot be cut there: its activations are caught on the way."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.layouts import AsMaps, maps
from geogaze.networks.logits import logits_of


class _Reached(Exception):
    """The target layer has run; what comes after it is not wanted."""


class Captured:
    """A network and a layer of it, by its name in ``named_modules()``.

    ``as_maps`` makes maps (B, C, g, g) of what the layer gives, ``finish`` its answer of what the
    network gives, where that is no logits.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        as_maps: AsMaps = maps,
        finish: Callable[[Any], Any] | None = None,
    ) -> None:
        modules = dict(model.named_modules())
        if not layer or layer not in modules:
            near = get_close_matches(layer, list(modules), n=5, cutoff=0.3)
            raise UnsupportedArchitecture(
                f"{type(model).__name__} has no layer {layer!r}. "
                f"Near ones: {', '.join(near) or ', '.join(list(modules)[1:6])}."
            )
        self.model = model
        self.module = layer
        self.as_maps = as_maps
        self.finish = finish
        self._caught = modules[layer]

    @property
    def trunk(self) -> nn.Module:
        """The network up to the layer, as a module from images to activations."""
        return _UpTo(self)

    def maps(self, images: Tensor) -> Tensor:
        """Activations of images (B, bands, T, T), as maps (B, C, g, g)."""
        return self.as_maps(self.activations(images))

    def run(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Activations, a leaf, and logits (B, classes) that depend on it.

        Raises:
            UnsupportedArchitecture: as :meth:`answer`.
        """
        activations, output = self.answer(images)
        return activations, logits_of(output, len(images))

    def answer(self, images: Tensor) -> tuple[Tensor, Any]:
        """Activations, a leaf, and whatever the network gives, whose logits depend on it.

        Raises:
            UnsupportedArchitecture: the layer runs not once, or does not give maps.
        """
        caught: list[Tensor] = []

        def catch(module: nn.Module, inputs: Any, output: Any) -> Tensor:
            leaf = self._checked(output, first=not caught).detach().requires_grad_()
            caught.append(leaf)
            return leaf.clone()  # what follows may work in place

        with torch.enable_grad():
            output = self._hooked(catch, images)
        if not caught:
            raise UnsupportedArchitecture(f"The layer {self.module!r} does not run.")
        if not logits_of(output, len(images)).requires_grad:
            raise UnsupportedArchitecture(f"The logits do not depend on the layer {self.module!r}.")
        return caught[0], output

    def activations(self, images: Tensor) -> Tensor:
        """Activations alone; nothing behind the layer runs."""
        caught: list[Tensor] = []

        def stop(module: nn.Module, inputs: Any, output: Any) -> Tensor:
            caught.append(self._checked(output, first=True))
            raise _Reached

        try:
            self._hooked(stop, images)
        except _Reached:
            return caught[0]
        raise UnsupportedArchitecture(f"The layer {self.module!r} does not run.")

    def _checked(self, output: Any, *, first: bool) -> Tensor:
        if not first:
            raise UnsupportedArchitecture(
                f"The layer {self.module!r} runs more than once for an image; name one that runs "
                "once."
            )
        if not isinstance(output, Tensor) or self.as_maps(output).ndim != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UnsupportedArchitecture(
                f"The layer {self.module!r} gives {shape}, not maps (images, channels, rows, cols)."
            )
        return output

    def _hooked(self, hook: Callable[[nn.Module, Any, Any], Tensor], images: Tensor) -> Any:
        handle = self._caught.register_forward_hook(hook)
        try:
            output = self.model(images)
            return self.finish(output) if self.finish else output
        finally:
            handle.remove()


class _UpTo(nn.Module):
    def __init__(self, captured: Captured) -> None:
        super().__init__()
        self._captured = [captured]  # in a list: not a submodule

    def forward(self, images: Tensor) -> Tensor:
        return self._captured[0].activations(images)
