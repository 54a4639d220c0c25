"""Where on its input does an activation look? Measured, for any convolutional network.

The network is linearised: constant positive weights, no nonlinearity, average for max pooling.
The input gradient of one activation is then its (smoothed) receptive field, and the gradient's
centroid is its centre, fixed by kernels, strides and paddings alone (compare Araujo, Norris and
Sim 2019, "Computing receptive fields of convolutional neural networks"). Two neighbouring
activations give the stride, one gives the centre of activation 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geogaze.errors import UnsupportedArchitecture

_IDENTITIES = frozenset(
    {"relu", "relu_", "relu6", "hardtanh", "hardtanh_", "silu", "silu_", "hardswish", "hardswish_"}
    | {"gelu", "batch_norm", "layer_norm", "dropout", "dropout_", "leaky_relu", "elu", "mish"}
)
_GATES = frozenset({"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_", "softmax"})
_PRODUCTS = frozenset({"mul", "mul_", "__mul__", "__rmul__"})
_LONG_SIDES = (1024, 2048, 4096)  # receptive fields of the deepest networks pass 2,000 pixels
_TOLERANCE = 0.02
_SHORT_SIDE = 96  # Inception v3 takes no less than 75


@dataclass(frozen=True)
class Registration:
    """Geometry of an activation grid, in input pixels.

    Activation ``i`` is centred on pixel ``first_center + i * stride`` (pixel 0 is the first
    pixel, its centre counts as 0); ``cells`` is the side of the grid for one model input.
    """

    stride: int
    first_center: float
    cells: int


class _Linearised(TorchFunctionMode):
    """Every weight constant and positive, every nonlinearity the identity."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _IDENTITIES:
            return args[0]
        if name in _GATES:
            return torch.ones_like(args[0])
        if name in _PRODUCTS and (scales := [a for a in args if isinstance(a, nn.Parameter)]):
            return args[0] if args[1] is scales[0] else args[1]  # ConvNeXt's layer scale
        if name in {"conv2d", "linear"}:
            return func(*_constant_weight(*args, **kwargs))
        if name in {"max_pool2d", "_max_pool2d", "max_pool2d_with_indices"}:
            return _as_average(*args, **kwargs)
        return func(*args, **kwargs)


def _constant_weight(x: Tensor, weight: Tensor, bias: Any = None, *rest: Any) -> tuple[Any, ...]:
    return (x, torch.full(weight.shape, 1.0 / weight[0].numel()), None, *rest)


def _as_average(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    **options: Any,
) -> Tensor:
    if dilation not in {1, (1, 1)}:
        raise UnsupportedArchitecture("Dilated max pooling has no known registration.")
    ceil_mode = options.get("ceil_mode", False)
    return F.avg_pool2d(x, kernel_size, stride or kernel_size, padding, ceil_mode=ceil_mode)


def measure(trunk: nn.Module, bands: int, input_size: int) -> Registration:
    """Stride, first centre and grid side of a trunk.

    Args:
        trunk: images (B, bands, T, T) to activations (B, C, g, g); weights are not looked at and
            may live on the meta device.
        bands: channels of the input.
        input_size: T, pixels.

    Raises:
        UnsupportedArchitecture: the trunk is not a regular grid, or differs between the axes.
    """
    for side in _LONG_SIDES:
        axes = [_measure_axis(trunk, bands, axis, side) for axis in (2, 3)]
        (stride, first), other = axes
        if _near(stride, round(stride)):
            break
    else:
        raise UnsupportedArchitecture(f"The stride {stride:.3f} is not a whole number of pixels.")
    if not (_near(stride, other[0]) and _near(first, other[1])):
        raise UnsupportedArchitecture(
            f"Activations are spaced differently along rows {axes[0]} and columns {axes[1]}."
        )
    with torch.no_grad(), _Linearised():
        cells = trunk(torch.ones(1, bands, input_size, input_size)).shape[-1]
    # Kernels, strides and paddings add up to half pixels; what is left of the very deepest
    # networks' receptive fields, cut at the input's border, moves the measured centre a little.
    return Registration(round(stride), round(first * 2) / 2, cells)


def _near(a: float, b: float) -> bool:
    return abs(a - b) < _TOLERANCE


def _measure_axis(trunk: nn.Module, bands: int, axis: int, side: int) -> tuple[float, float]:
    shape = [1, bands, _SHORT_SIDE, _SHORT_SIDE]
    shape[axis] = side
    x = torch.ones(shape, requires_grad=True)
    with _Linearised():
        profile = trunk(x).mean(dim=(0, 1, 5 - axis))
    middle = profile.numel() // 2
    here, there = (_centroid(profile[i], x, axis) for i in (middle, middle + 1))
    return there - here, here - middle * (there - here)


def _centroid(activation: Tensor, x: Tensor, axis: int) -> float:
    (gradient,) = torch.autograd.grad(activation, x, retain_graph=True)
    weight = gradient.double().sum(dim=[d for d in range(4) if d != axis])
    position = torch.arange(len(weight), dtype=torch.float64)
    return float((weight * position).sum() / weight.sum())
