"""What a class activation map is made of: a weight for each activation, by a gradient.

Every map is scaled by the number N of activations where its formula averages over them, so that
values are logits per cell and maps of different grid sizes compare. Shapes throughout: activations
A (B, C, h, w); gradients G (K, B, C, h, w) of K scores; channel weights (K, B, C); maps
(B, K, h, w). All float32 (or the activations' dtype), signed; ReLU comes with normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from geogaze.doors import resolve
from geogaze.models.methods import METHODS


@dataclass(frozen=True)
class Cam:
    """A method's two forms: ``positional`` takes gradients (K, B, C, h, w); ``pooled`` takes
    channel weights N · G (K, B or 1, C) of a head that begins with global average pooling, where
    the gradient is the same at every position. Both take the activations next.
    """

    positional: Callable[[Tensor, Tensor], Tensor]
    pooled: Callable[[Tensor, Tensor], Tensor]


def find_cam(method: str) -> Cam:
    """The class activation map of this name in :data:`geogaze.models.methods.METHODS`."""
    cam: Cam = resolve(METHODS[method].implementation)
    return cam


def weigh(weights: Tensor, activations: Tensor) -> Tensor:
    """Σ_k w_k A_k: weights (K, B or 1, C) and activations (B, C, h, w) to maps (B, K, h, w)."""
    batch, channels, rows, cols = activations.shape
    flat = activations.reshape(batch, channels, rows * cols)
    each = weights.expand(-1, batch, -1).transpose(0, 1)
    return (each @ flat).reshape(batch, -1, rows, cols)


def positions(activations: Tensor) -> int:
    """N, the number of activations of a channel."""
    return activations.shape[-2] * activations.shape[-1]
