"""What a network's maps must be, by the plainest means: a hook, and one backward pass for a class.

Nothing of geogaze looks at the network here. It is as its owner has it, uncut.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Places = Callable[[Tensor], Tensor]
"""Activations to maps (B, C, g, g)."""

_DARK, _BRIGHT, _NOISE = -2.0, 2.0, 0.3  # as a network takes them, normalised
_MANY = 12  # cells, of which even and odd ones are tried
_METHOD = "forward_features"  # timm's networks have it, and it is no module
_BEHIND_RELU = "relu("  # DenseNet's layer is a function's: ``relu(features.norm5)``


def as_they_are(activations: Tensor) -> Tensor:
    """Maps of a layer that gives maps."""
    return activations


def patches(activations: Tensor) -> Tensor:
    """Maps of tokens (B, 1 + g · g, C): all but the class token, row by row."""
    side = math.isqrt(activations.shape[1])
    places = activations[:, activations.shape[1] - side * side :]
    return places.transpose(1, 2).unflatten(2, (side, side))


def last_channels(activations: Tensor) -> Tensor:
    """Maps of a layer that gives (B, h, w, C)."""
    return activations.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Watched:
    """A network and its layer. ``stripped`` is a last module whose input are the scores, ``task``
    says by what rule a network labels pixels that does so.
    """

    network: nn.Module
    layer: str
    places: Places = as_they_are
    stripped: str | None = None
    task: str = "softmax"

    def maps(self, images: Tensor) -> NDArray[np.float64]:
        """The layer's activations (B, C, g, g)."""
        weight = next(self.network.parameters())
        with torch.no_grad(), self._caught() as caught:
            self.network(images.to(weight.dtype))
        return self.places(caught[0].detach()).double().numpy()

    def evidence(self, images: Tensor) -> NDArray[np.float64]:
        """Grad-CAM before its ReLU (B, K, g, g), one backward pass for each class."""
        with torch.enable_grad(), self._caught() as caught, self._ending() as before:
            output = self.network(images)
            scores = _scores(before[0] if before else output, len(images), self.task)
        (leaf,) = caught
        maps = self.places(leaf.detach())
        found = []
        for k in range(scores.shape[1]):
            (gradient,) = torch.autograd.grad(scores[:, k].sum(), leaf, retain_graph=True)
            weights = self.places(gradient).sum((2, 3), keepdim=True)
            found.append((weights * maps).sum(1))
        return torch.stack(found, 1).double().numpy()

    @contextmanager
    def _caught(self) -> Iterator[list[Tensor]]:
        caught: list[Tensor] = []
        parts = dict(self.network.named_modules())

        def catch(output: Tensor) -> Tensor:
            caught.append(output.detach().clone().requires_grad_())
            return caught[-1].clone()  # what follows may work in place

        if self.layer.startswith(_BEHIND_RELU):
            behind = _Behind(catch)
            name = self.layer.removeprefix(_BEHIND_RELU).removesuffix(")")
            handle = parts[name].register_forward_hook(behind.remember)
        elif self.layer == _METHOD:
            features = getattr(self.network, _METHOD)
            behind = mock.patch.object(
                self.network, _METHOD, lambda *a, **k: catch(features(*a, **k))
            )
            handle = None
        else:
            behind = nullcontext()  # type: ignore[assignment]
            handle = parts[self.layer].register_forward_hook(lambda _m, _i, out: catch(out))
        with behind:
            yield caught
        if handle:
            handle.remove()

    @contextmanager
    def _ending(self) -> Iterator[list[Any]]:
        given: list[Any] = []
        handles = []
        if self.stripped:
            last = self.network.get_submodule(self.stripped)
            handles.append(last.register_forward_pre_hook(lambda _m, inputs: given.append(*inputs)))
        yield given
        for handle in handles:
            handle.remove()


class _Behind(TorchFunctionMode):
    """Catches what a ReLU that is no module makes of a module's output."""

    def __init__(self, catch: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._catch = catch
        self._given: Any = None

    def remember(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        """Note the output of the module, which is what the ReLU is asked about."""
        self._given = output

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        ours = getattr(func, "__name__", "") == "relu" and args[0] is self._given
        result = func(*args, **(kwargs or {}))
        return self._catch(result) if ours else result


def _scores(output: Any, images: int, task: str) -> Tensor:
    """The scores (B, K) in what a network gives; of maps, logits where a class is predicted."""
    if isinstance(output, dict):
        output = output.get("logits", output.get("out"))
    elif isinstance(output, tuple):
        output = getattr(output, "logits", output[0])
    found: Tensor = output
    if found.ndim == 4 and found.shape[2:] != (1, 1):
        of = (found > 0).unbind(1)
        if task == "softmax":
            best = found.argmax(1)
            of = tuple(best == k for k in range(found.shape[1]))
        return torch.stack([(found[:, k] * of[k]).sum((1, 2)) for k in range(len(of))], 1)
    return found.reshape(images, -1)


def off(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The largest difference, as a share of the largest value; 0 where there is nothing."""
    largest = np.abs(wanted).max()
    return float(np.abs(found - wanted).max() / largest) if largest else float(np.abs(found).max())


def square_off(watched: Watched, bands: int, size: int, stride: int, first: float) -> float:
    """How far, in cells, bright squares land from where the registration says, on the mean.

    Images are dark, with a little noise, but for a square of a cell's size, in nine places. Where
    the layer changes is weighed by how much, over all channels. What changes as much by another
    square, as norms and gates over the whole map let it, is no place and taken off.
    """
    noise = torch.randn(1, bands, size, size, generator=torch.Generator().manual_seed(0))
    dark = _DARK + _NOISE * noise
    before = watched.maps(dark)
    near, away = round(((size - 1) / 2 - first) / stride), max(1, before.shape[-1] // 6)
    sides = (near - away, near, near + away + (before.shape[-1] >= _MANY))
    squares, changes = [], []
    for row, col in itertools.product(sides, sides):
        image = dark.clone()
        squares.append([_span(first + place * stride, stride, size) for place in (row, col)])
        image[:, :, slice(*squares[-1][0]), slice(*squares[-1][1])] = _BRIGHT
        change = (np.abs(watched.maps(image) - before) ** 2).sum((0, 1))
        changes.append(change / change.sum())
    beside = []
    for index, (square, change) in enumerate(zip(squares, changes, strict=True)):
        others = changes[:index] + changes[index + 1 :]
        here = np.clip(change - np.max(others, axis=0), 0, None)
        if not here.any():
            continue  # all that it changes, another one changes more
        for axis, (start, stop) in enumerate(square):
            profile = here.sum(1 - axis)
            centre = float((profile * np.arange(len(profile))).sum() / profile.sum())
            beside.append((axis, centre - ((start + stop - 1) / 2 - first) / stride))
    found = [np.mean([off for at, off in beside if at == axis]) for axis in (0, 1)]
    return float(np.abs(found).max())


def _span(centre: float, stride: int, size: int) -> tuple[int, int]:
    """First pixel of a square, and the one behind its last."""
    side = max(stride, 2)
    start = min(max(round(centre - (side - 1) / 2), 0), size - side)
    return start, start + side
