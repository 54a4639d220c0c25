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

_IDENTITIES = frozenset({nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d})  # in evaluation
_CHANNELWISE = frozenset(
    {nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardtanh}
    | {nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.Softplus, nn.Mish}
)
_FORWARD_MODE = frozenset(
    {nn.Flatten, nn.Linear, nn.LayerNorm, nn.BatchNorm1d, LayerNorm2d} | _CHANNELWISE - {nn.Mish}
)  # torch derives these in forward mode, many vectors at once, without a loop
_GLOBAL = (1, (1, 1))


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
class VectorHead:
    """Pooling, then a function of a vector: ``last(body(mix(pools(A))))``.

    ``mix`` is a linear layer on flattened maps, absent where pooling is global. ``last`` is the
    final linear layer, absent where the head ends otherwise.
    """

    pools: nn.Sequential
    mix: nn.Linear | None
    body: nn.Sequential
    last: nn.Linear | None
    _sums: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def uniform(self) -> bool:
        """Whether global average pooling is all that happens to positions."""
        return len(self.pools) == 1 and type(self.pools[0]) is nn.AdaptiveAvgPool2d and not self.mix

    @cached_property
    def _affine(self) -> bool:
        return all(type(module) is nn.Flatten for module in self.body)

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
        derived = self._forward_mode and not self._affine
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
        with torch.set_grad_enabled(not self._affine):
            vector = vector.detach().requires_grad_(not self._affine)
            hidden = self.body(vector.clone())  # it may work in place
        with torch.no_grad():
            logits = hidden.detach() if self.last is None else self.last(hidden)
            rows = score_rows(self._last_weight(logits), targets, logits)
        if self._affine:
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
class ChannelHead:
    """A 1×1 convolution to one channel per class, then only channel by channel: SqueezeNet."""

    mix: nn.Conv2d
    rest: nn.Sequential

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
    """The head's channel-shift form, read off its modules; None where there is none.

    Only modules known to be exact are accepted, by type: a subclass may do anything, and so may a
    hook.
    """
    chain = [module for module in _flat(head) if type(module) not in _IDENTITIES]
    if not chain or any(_hooked(module) for module in head.modules()):
        return None
    for module in head.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]  # derivatives need the input
    if _pointwise(chain[0]):
        return _channel_head(chain)
    known = 0
    while known < len(chain) and _commutes(chain[known]):
        known += 1
    pools, rest = chain[:known], chain[known:]
    if pools and _is_global(pools[-1]):
        return VectorHead(nn.Sequential(*pools), None, *_tail(rest))
    if len(rest) > 1 and _flattens(rest[0]) and type(rest[1]) is nn.Linear:
        return VectorHead(nn.Sequential(*pools), rest[1], *_tail(rest[2:]))
    return None


def _tail(modules: list[nn.Module]) -> tuple[nn.Sequential, nn.Linear | None]:
    if modules and type(modules[-1]) is nn.Linear:
        return nn.Sequential(*modules[:-1]), modules[-1]
    return nn.Sequential(*modules), None


def _channel_head(chain: list[nn.Module]) -> ChannelHead | None:
    between, last = chain[1:-1], chain[-1]
    channelwise = all(type(module) in _CHANNELWISE or _is_pool(module) for module in between)
    pools = [module for module in between if _is_pool(module)]
    one_value = bool(pools) and _is_global(pools[-1])
    if not (channelwise and one_value and _flattens(last)):
        return None
    assert isinstance(chain[0], nn.Conv2d)
    return ChannelHead(chain[0], nn.Sequential(*chain[1:]))


def _flat(module: nn.Module) -> list[nn.Module]:
    if type(module) is nn.Sequential:
        return [leaf for child in module for leaf in _flat(child)]
    return [module]


def _hooked(module: nn.Module) -> bool:
    kinds = (module._forward_hooks, module._forward_pre_hooks)  # noqa: SLF001  no public name
    return any(len(hooks) for hooks in kinds)


def _commutes(module: nn.Module) -> bool:
    """Whether pooling a shifted channel gives the pooled channel, shifted."""
    if type(module) is nn.AvgPool2d:
        padded = module.padding not in (0, (0, 0)) and module.count_include_pad
        return not padded and module.divisor_override is None
    return _is_pool(module)


def _is_pool(module: nn.Module) -> bool:
    if type(module) in {nn.MaxPool2d, nn.AdaptiveMaxPool2d}:
        return not module.return_indices
    return type(module) in {nn.AvgPool2d, nn.AdaptiveAvgPool2d}


def _is_global(module: nn.Module) -> bool:
    adaptive = type(module) in {nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d}
    return adaptive and _is_pool(module) and module.output_size in _GLOBAL


def _flattens(module: nn.Module) -> bool:
    return type(module) is nn.Flatten and module.start_dim == 1 and module.end_dim == -1


def _pointwise(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d and (
        module.kernel_size == (1, 1)
        and module.stride == (1, 1)
        and module.padding in {(0, 0), "valid", "same"}
        and module.groups == 1
    )
