"""The channel-shift gradient: what a head says of all classes, without a backward pass to maps.

Grad-CAM needs only Σ_ij ∂y/∂A_kij, which is ∂y/∂s_k for a shift s_k added to all of channel k.
Pooling commutes with such a shift, so it may be added behind the pooling; a linear layer on
flattened maps sees it through its weights summed over positions. What is left to differentiate is
a function of one vector per image. Its Jacobian J is applied from the side that costs less:

- from the classes (reverse mode): K vectors J_c, then evidence_c = J_c · A;
- from the cells (forward mode): evidence_ij = J · A_ij, all classes at once, for many classes.

Where each class has a channel of its own (a 1×1 convolution, then pooling), J is diagonal.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torchvision.models.convnext import LayerNorm2d

from geogaze.evidence.cams.cam import find_cam
from geogaze.models.targets import Target
from geogaze.networks.heads import CHANNELWISE, ChannelParts, VectorParts, parts_of
from geogaze.networks.words import Normalised

_FORWARD_MODE = frozenset(
    {nn.Flatten, nn.Linear, nn.LayerNorm, nn.BatchNorm1d, LayerNorm2d, Normalised}
    | CHANNELWISE - {nn.Mish}
)  # torch derives these in forward mode, many vectors at once, without a loop


class ShiftHead(Protocol):
    """A head whose channel-shift gradient is known.

    ``uniform`` says that the gradient is the same at every position, so that it serves every
    method of :mod:`geogaze.evidence.cams`, not Grad-CAM alone.
    """

    @property
    def uniform(self) -> bool:
        """Whether the head begins with global average pooling."""
        ...

    def explain(
        self, activations: Tensor, targets: Sequence[Target] | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and maps (B, K, h, w) of activations (B, C, h, w)."""
        ...


def scores(values: Tensor, targets: Sequence[Target], dim: int = 0) -> Tensor:
    """The targets' plus minus their minus along ``dim``, which runs over the classes."""
    shape = [1] * values.ndim
    shape[dim] = len(targets)

    def term(indices: list[int | None]) -> Tensor:
        here = torch.tensor([index or 0 for index in indices], device=values.device)
        taken = values.index_select(dim, here)
        if None not in indices:
            return taken
        has = torch.tensor([index is not None for index in indices], device=values.device)
        return taken * has.to(values.dtype).reshape(shape)

    plus = term([plus for plus, _ in targets])
    minus = [minus for _, minus in targets]
    return plus if all(index is None for index in minus) else plus - term(minus)


def score_rows(weight: Tensor, targets: Sequence[Target] | None, logits: Tensor) -> Tensor:
    """Rows (K, B or 1, F) of a last layer's weight (classes, F) for the scores asked for.

    Args:
        weight: of the last layer; the identity, for the logits themselves.
        targets: K scores, or None for each image's own best class.
        logits: (B, classes), to choose the best by.
    """
    if targets is None:
        return weight[logits.argmax(dim=1)][None]
    return scores(weight, targets)[:, None]


@dataclass(frozen=True, eq=False)
class VectorHead(VectorParts):
    """A head that is a function of a vector."""

    _sums: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def _forward_mode(self) -> bool:
        return all(type(module) in _FORWARD_MODE for module in self.body)

    def explain(
        self, activations: Tensor, targets: Sequence[Target] | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and maps (B, K, h, w) of activations (B, C, h, w)."""
        with torch.no_grad():
            vector = self.pools(activations)
            if self.mix is not None:
                vector = self.mix(vector.flatten(1))
        derived = self._forward_mode and not self.affine
        if targets is not None and derived and method == "gradcam":
            cells = activations.shape[-2] * activations.shape[-1]
            if len(targets) > cells:
                return self._from_cells(vector, activations, targets)
        logits, weights = self._from_classes(vector, targets)
        with torch.no_grad():
            if self.mix is not None:
                weights = weights @ self._summed(activations.shape[1])
            return logits, find_cam(method).pooled(weights, activations)

    def _from_classes(
        self, vector: Tensor, targets: Sequence[Target] | None
    ) -> tuple[Tensor, Tensor]:
        """Logits, and ∂score/∂vector (K, B or 1, D)."""
        with torch.set_grad_enabled(not self.affine):
            vector = vector.detach().requires_grad_(not self.affine)
            hidden = self.body(vector.clone())  # it may work in place
        with torch.no_grad():
            logits = hidden.detach() if self.last is None else self.last(hidden)
            rows = score_rows(self._last_weight(logits), targets, logits)
        if self.affine:
            return logits, rows
        rows = rows.expand(-1, len(vector), -1)
        (gradient,) = torch.autograd.grad(hidden, vector, rows, is_grads_batched=True)
        return logits, gradient.flatten(2)

    def _from_cells(
        self, vector: Tensor, activations: Tensor, targets: Sequence[Target]
    ) -> tuple[Tensor, Tensor]:
        """Logits and maps, by the derivative of the body along the activations of each cell."""
        batch, _, rows, cols = activations.shape
        with torch.no_grad():
            along = activations.flatten(2).permute(2, 0, 1)  # (cells, B, C)
            if self.mix is not None:
                along = along @ self._summed(activations.shape[1]).T
            along = along.reshape(-1, *vector.shape)
            hidden = self.body(vector)
            logits = hidden if self.last is None else self.last(hidden)

            def derivative(tangent: Tensor) -> Tensor:
                result: Tensor = torch.func.jvp(self.body, (vector,), (tangent,))[1]
                return result

            with warnings.catch_warnings():  # torch's own import, on first use
                warnings.filterwarnings("ignore", r"`torch\.jit\.script")
                change = torch.func.vmap(derivative)(along)  # (cells, B, F)
            wanted = scores(self._last_weight(logits), targets)
            maps = (change.flatten(0, 1) @ wanted.T).reshape(rows, cols, batch, -1)
        return logits, maps.permute(2, 3, 0, 1)

    def _last_weight(self, logits: Tensor) -> Tensor:
        if self.last is None:
            return torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
        return self.last.weight

    def _summed(self, channels: int) -> Tensor:
        """The mixing layer's weight for a shift of a whole channel, (D, C).

        Kept, as summing 100 million weights (VGG16) costs as much as a tile; made anew once they
        change.
        """
        assert self.mix is not None
        weight: Tensor = self.mix.weight
        state = (channels, weight.data_ptr(), weight._version)  # noqa: SLF001  no public name
        if self._sums.get("of") != state:
            self._sums["sum"] = weight.detach().reshape(len(weight), channels, -1).sum(dim=2)
            self._sums["of"] = state
        summed: Tensor = self._sums["sum"]
        return summed


@dataclass(frozen=True, eq=False)
class ChannelHead(ChannelParts):
    """A head whose scores each have a channel."""

    @property
    def uniform(self) -> bool:
        """Never: the activation function makes the gradient differ between positions."""
        return False

    def explain(
        self, activations: Tensor, targets: Sequence[Target] | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and maps (B, K, h, w) of activations (B, C, h, w)."""
        with torch.no_grad():
            mixed = self.mix(activations)
        mixed = mixed.detach().requires_grad_()
        with torch.enable_grad():
            logits = self.rest(mixed)
        # Each logit has its own channel, so one backward pass gives every class's gradient.
        (gradient,) = torch.autograd.grad(logits.sum(), mixed)
        with torch.no_grad():
            if self.mix.bias is not None:
                mixed = mixed - self.mix.bias[:, None, None]
            strength = gradient.sum(dim=(2, 3), keepdim=True)
            logits = logits.detach()
            if targets is None:
                best = logits.argmax(dim=1)[:, None, None, None]
                strength, mixed = (
                    t.gather(1, best.expand(-1, 1, *t.shape[2:])) for t in (strength, mixed)
                )
                return logits, strength * mixed
            return logits, scores(strength * mixed, targets, dim=1)


def recognise(head: nn.Module) -> ShiftHead | None:
    """The head's channel-shift form, read off its modules; None where there is none."""
    match parts_of(head):
        case VectorParts(pools, mix, body, last):
            return VectorHead(pools, mix, body, last)
        case ChannelParts(mix, rest):
            return ChannelHead(mix, rest)
    return None
