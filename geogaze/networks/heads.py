"""What a head is made of, where all it does to places is known: read off its modules.

Only modules that are known are accepted, by type: a subclass may do anything, and so may a hook.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

_IDENTITIES = frozenset({nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d})  # in evaluation
CHANNELWISE = frozenset(
    {nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardtanh}
    | {nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.Softplus, nn.Mish}
)
"""Activation functions that take each channel for itself."""

_GLOBAL = (1, (1, 1))


@dataclass(frozen=True, eq=False)
class VectorParts:
    """Pooling, then a function of a vector: ``last(body(mix(pools(A))))``.

    ``mix`` is a linear layer on flattened maps, absent where pooling is global. ``last`` is the
    final linear layer, absent where the head ends otherwise.
    """

    pools: nn.Sequential
    mix: nn.Linear | None
    body: nn.Sequential
    last: nn.Linear | None

    @property
    def uniform(self) -> bool:
        """Whether global average pooling is all that happens to positions."""
        return len(self.pools) == 1 and type(self.pools[0]) is nn.AdaptiveAvgPool2d and not self.mix

    @property
    def affine(self) -> bool:
        """Whether nothing lies between the pooling and the last layer."""
        return all(type(module) is nn.Flatten for module in self.body)


@dataclass(frozen=True, eq=False)
class ChannelParts:
    """A 1×1 convolution to one channel per class, then only channel by channel: SqueezeNet."""

    mix: nn.Conv2d
    rest: nn.Sequential


def parts_of(head: nn.Module) -> VectorParts | ChannelParts | None:
    """A head's parts; None where it is made otherwise.

    Activation functions of it no longer work in place, as derivatives need what they are given.
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
        return VectorParts(nn.Sequential(*pools), None, *_tail(rest))
    if len(rest) > 1 and _flattens(rest[0]) and type(rest[1]) is nn.Linear:
        return VectorParts(nn.Sequential(*pools), rest[1], *_tail(rest[2:]))
    return None


def _tail(modules: list[nn.Module]) -> tuple[nn.Sequential, nn.Linear | None]:
    if modules and type(modules[-1]) is nn.Linear:
        return nn.Sequential(*modules[:-1]), modules[-1]
    return nn.Sequential(*modules), None


def _channel_head(chain: list[nn.Module]) -> ChannelParts | None:
    between, last = chain[1:-1], chain[-1]
    channelwise = all(type(module) in CHANNELWISE or _is_pool(module) for module in between)
    pools = [module for module in between if _is_pool(module)]
    one_value = bool(pools) and _is_global(pools[-1])
    if not (channelwise and one_value and _flattens(last)):
        return None
    assert isinstance(chain[0], nn.Conv2d)
    return ChannelParts(chain[0], nn.Sequential(*chain[1:]))


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
