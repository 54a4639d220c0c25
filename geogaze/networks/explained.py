"""A network that says logits and evidence of every class, in operations that any runtime has.

What the channel-shift gradient is, is told in :mod:`geogaze.evidence.heads`; here derivatives are
written out, so that a graph of the network gives heat by ordinary inference.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from geogaze.networks.captured import Captured
from geogaze.networks.heads import VectorParts, parts_of
from geogaze.networks.layouts import maps
from geogaze.networks.split import Split


def _relu(given: Tensor) -> Tensor:
    return (given > 0).to(given.dtype)


def _hardswish(given: Tensor) -> Tensor:
    bent = torch.where(given <= 3, given / 3 + 0.5, torch.ones_like(given))
    return torch.where(given < -3, torch.zeros_like(given), bent)


SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: _relu,
    nn.Hardswish: _hardswish,
}
"""Derivatives of activation functions, by what these are given."""


class Explained(nn.Module):
    """Images (N, bands, T, T) to logits (N, classes) and Grad-CAM's evidence (N, classes, g, g)."""

    def __init__(self, trunk: nn.Module, parts: VectorParts) -> None:
        super().__init__()
        assert parts.last is not None
        self.trunk, self.pools, self.mix = trunk, parts.pools, parts.mix
        self.body, self.last = parts.body, parts.last
        self.linear = parts.affine and parts.mix is None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The head forwards, then its derivative backwards: to a shift of each channel."""
        activations = self.trunk(images)
        vector = self.pools(activations).flatten(1)
        if self.linear:
            kernel = self.last.weight[:, :, None, None]
            return self.last(vector), nn.functional.conv2d(activations, kernel)
        if self.mix is not None:
            vector = self.mix(vector)
        given = []
        for module in self.body:
            given.append(vector)
            vector = module(vector)
        weights = self.last.weight[None]  # (1 or N, classes, …)
        for module, values in zip(reversed(self.body), reversed(given), strict=True):
            if isinstance(module, nn.Linear):
                weights = _backwards(weights, module.weight)
            elif type(module) in SLOPES:
                weights = weights * SLOPES[type(module)](values)[:, None]
        if self.mix is not None:  # a shift reaches all positions of a channel
            weights = weights @ self.mix.weight.unflatten(1, (activations.shape[1], -1)).sum(2)
        evidence = (weights @ activations.flatten(2)).unflatten(2, activations.shape[2:])
        return self.last(vector), evidence


def _backwards(weights: Tensor, matrix: Tensor) -> Tensor:
    """``weights`` (N, K, D) times a layer's matrix (D, C).

    OpenVINO 2026.4 packs a constant second factor once, however it is used: of a square matrix that
    a layer multiplies by as well, it would take the transpose. Those come first in the product,
    though that takes three times as long.
    """
    rows = weights.flatten(0, 1)
    square = matrix.shape[0] == matrix.shape[1]
    product = (matrix.T @ rows.T).T if square else rows @ matrix
    shaped: Tensor = product.unflatten(0, weights.shape[:2])
    return shaped


def explained(cut: Split | Captured) -> Explained | None:
    """A network that explains itself; None where its derivatives are not known here."""
    if not isinstance(cut, Split) or cut.as_maps is not maps:
        return None
    parts = parts_of(cut.head)
    if not isinstance(parts, VectorParts) or parts.last is None:
        return None
    known = {nn.Flatten, nn.Linear, *SLOPES}
    if any(type(module) not in known for module in parts.body):
        return None
    return Explained(cut.trunk, parts).eval()
