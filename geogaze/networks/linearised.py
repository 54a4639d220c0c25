"""A network without its weights and nonlinearities: only where things go is left of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geogaze.errors import UnsupportedArchitecture

_IDENTITIES = frozenset(
    {"relu", "relu_", "relu6", "hardtanh", "hardtanh_", "silu", "silu_", "hardswish", "hardswish_"}
    | {"gelu", "batch_norm", "layer_norm", "dropout", "dropout_", "leaky_relu", "elu", "mish"}
    | {
        "leaky_relu_",
        "elu_",
        "selu",
        "selu_",
        "celu",
        "celu_",
        "prelu",
        "rrelu",
        "softplus",
        "tanh",
    }
    | {
        "silu_",
        "mish_",
        "tanh_",
        "softsign",
        "dropout2d",
        "alpha_dropout",
        "feature_dropout",
        "rms_norm",
    }
    | {"group_norm", "instance_norm", "local_response_norm"}
)
_OVER_THE_MAP = frozenset({"group_norm", "instance_norm"})  # their statistics are of the whole map
_GATES = frozenset({"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_"})
_PRODUCTS = frozenset({"mul", "mul_", "__mul__", "__rmul__"})
_POOLS = frozenset({"max_pool2d", "_max_pool2d", "max_pool2d_with_indices"})
_GLOBAL_POOLING = frozenset({"adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax"})
_ATTENTION = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward"})


class Linearised(TorchFunctionMode):
    """Every weight constant and positive, every nonlinearity the identity, attention to oneself.

    ``pools_globally`` says that something looked at all of a map, or at all places of a sequence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pools_globally = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        name = getattr(func, "__name__", "").partition(".")[0]  # of a program: conv2d.default
        if not args and "input" in options:
            options = dict(options)
            args = (options.pop("input"),)
        self.pools_globally |= name in _GLOBAL_POOLING | _OVER_THE_MAP | _ATTENTION
        self.pools_globally |= _normalises_maps(name, args, options)
        self.pools_globally |= name == "avg_pool2d" and _covers(*args[:2], **options)
        if name in _IDENTITIES:
            return args[0]
        if name in _GATES:
            return torch.ones_like(args[0])
        if name == "softmax":
            return self._shares(*args[:2], **options)
        if name == "scaled_dot_product_attention":
            return args[2] if len(args) > 2 else options["value"]
        if name == "multi_head_attention_forward":
            return args[2], None
        if name in _PRODUCTS and (scales := [a for a in args if isinstance(a, nn.Parameter)]):
            return args[0] if args[1] is scales[0] else args[1]  # ConvNeXt's layer scale
        if name in {"conv2d", "linear"}:
            return func(*_constant_weight(0, *args, **options))
        if name == "conv_transpose2d":
            return func(*_constant_weight(1, *args, **options))
        if name in _POOLS:
            return _as_average(*args, **options)
        return func(*args, **options)

    def _shares(self, values: Tensor, dim: int | None = None, **_options: Any) -> Tensor:
        """All open; of places to places, each to itself."""
        last = dim in {-1, values.ndim - 1} and values.ndim > 2
        if last and values.shape[-1] == values.shape[-2] > 1:
            self.pools_globally = True
            return torch.eye(values.shape[-1]).expand_as(values)
        return torch.ones_like(values)


def _constant_weight(
    outputs: int, x: Tensor, weight: Tensor, bias: Any = None, *rest: Any, **options: Any
) -> tuple[Any, ...]:
    """Arguments of a convolution or linear layer that takes means; axis ``outputs`` of its weight
    runs over what it gives.
    """
    constant = torch.full(weight.shape, weight.shape[outputs] / weight.numel())
    transposed = ("output_padding", "groups", "dilation")
    order = ("stride", "padding", *(transposed if outputs else ("dilation", "groups")))
    given = dict(zip(order, rest, strict=False)) | options
    if not given:
        return x, constant, None
    one, none = (1, 1), (0, 0)
    usual = {"stride": one, "padding": none, "output_padding": none, "dilation": one, "groups": 1}
    return x, constant, None, *(given.get(name, usual[name]) for name in order)


def _as_average(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: Any = 0,
    **_options: Any,
) -> Tensor:
    if dilation not in (1, (1, 1), [1, 1]):
        raise UnsupportedArchitecture("Dilated max pooling has no known registration.")
    return F.avg_pool2d(x, kernel_size, stride or kernel_size, padding, ceil_mode=bool(ceil_mode))


def _normalises_maps(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether a norm takes its statistics from several places, as LayerNorm([C, h, w]) does."""
    shape = args[1] if len(args) > 1 else options.get("normalized_shape", ())
    return name in {"layer_norm", "rms_norm"} and len(shape) > 1


def _covers(x: Tensor, kernel_size: Any = 0, **_options: Any) -> bool:
    """Whether a pooling's window is the whole map."""
    sides = kernel_size if isinstance(kernel_size, tuple | list) else (kernel_size, kernel_size)
    return all(window >= side for window, side in zip(sides, x.shape[-2:], strict=False))
