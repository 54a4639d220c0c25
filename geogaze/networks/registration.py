"""Where on its input does an activation look? Measured, for any convolutional network.

The network is linearised: constant positive weights, no nonlinearity, average for max pooling.
The input gradient of one activation is then its (smoothed) receptive field, and the gradient's
centroid is its centre, fixed by kernels, strides and paddings alone (compare Araujo, Norris and
Sim 2019, "Computing receptive fields of convolutional neural networks"). Two neighbouring
activations give the stride, one gives the centre of activation 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.captured import Captured
from geogaze.networks.split import Split

_IDENTITIES = frozenset(
    {"relu", "relu_", "relu6", "hardtanh", "hardtanh_", "silu", "silu_", "hardswish", "hardswish_"}
    | {"gelu", "batch_norm", "layer_norm", "dropout", "dropout_", "leaky_relu", "elu", "mish"}
)
_GATES = frozenset({"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_", "softmax"})
_PRODUCTS = frozenset({"mul", "mul_", "__mul__", "__rmul__"})
_LONG_SIDES = (1024, 2048, 4096)  # receptive fields of the deepest networks pass 2,000 pixels
_MOST_CELLS_OFF = 1.5  # by rounding, from what the stride says of another size
_TOLERANCE = 0.02
_SHORT_SIDE = 96  # Inception v3 takes no less than 75
_GLOBAL_POOLING = frozenset({"adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax"})
_REACH_SHARE = 0.99


@dataclass(frozen=True)
class Registration:
    """Geometry of an activation grid, in input pixels.

    Activation ``i`` is centred on pixel ``first_center + i * stride`` (pixel 0 is the first
    pixel, its centre counts as 0); ``cells`` is the side of the grid for one model input.
    ``halo`` is the margin, in pixels and a multiple of ``stride``, within which 99 % of an
    activation's (linearised) receptive field lies; None where the trunk also pools over the whole
    input, as squeeze-and-excitation does, so that an activation depends on everything.
    """

    stride: int
    first_center: float
    cells: int
    halo: int | None


class _Linearised(TorchFunctionMode):
    """Every weight constant and positive, every nonlinearity the identity."""

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
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        self.pools_globally |= name in _GLOBAL_POOLING
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


def measure(trunk: Callable[[Tensor], Tensor], bands: int, input_size: int) -> Registration:
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
        rows, cols = (_measure_axis(trunk, bands, axis, side) for axis in (2, 3))
        if _near(rows.stride, round(rows.stride)) and round(rows.stride) >= 1:
            break
    else:
        raise UnsupportedArchitecture(
            f"The stride {rows.stride:.3f} is not a whole number of pixels."
        )
    if not (_near(rows.stride, cols.stride) and _near(rows.first, cols.first)):
        raise UnsupportedArchitecture(
            f"Activations are spaced differently along rows ({rows.stride:.2f} from "
            f"{rows.first:.2f}) and columns ({cols.stride:.2f} from {cols.first:.2f})."
        )
    stride = round(rows.stride)
    with torch.no_grad(), _Linearised() as seen:
        cells = trunk(torch.ones(1, bands, input_size, input_size)).shape[-1]
    if abs(rows.cells - cells - (side - input_size) / stride) > _MOST_CELLS_OFF:
        raise UnsupportedArchitecture(
            f"It has {cells} cells for {input_size} pixels and {rows.cells} for {side}: their "
            "number does not grow with the image, as behind adaptive pooling. Name a layer before."
        )
    reach = round(max(rows.reach, cols.reach) * 2) / 2
    halo = None if seen.pools_globally else max(1, math.ceil(reach / stride)) * stride
    # Kernels, strides and paddings add up to half pixels; what is left of the very deepest
    # networks' receptive fields, cut at the input's border, moves the measured centre a little.
    return Registration(stride, round(rows.first * 2) / 2, cells, halo)


def divided(cut: Split, bands: int, input_size: int) -> Registration:
    """Geometry of a grid whose cells divide the image evenly, as patches and windows do.

    Args:
        cut: the network; it may live on the meta device.
        bands: channels of the input.
        input_size: T, pixels.

    Raises:
        UnsupportedArchitecture: T is no multiple of g.
    """
    with torch.no_grad():
        device = next(cut.trunk.parameters()).device
        cells = cut.maps(torch.ones(1, bands, input_size, input_size, device=device)).shape[-1]
    if input_size % cells:
        raise UnsupportedArchitecture(
            f"{cells} cells do not divide {input_size} pixels evenly. Choose an --input-size that "
            f"is a multiple of {cells}."
        )
    stride = input_size // cells
    return Registration(stride, (stride - 1) / 2, cells, None)


def register(cut: Split | Captured, bands: int, input_size: int) -> Registration:
    """Geometry of a cut's activations, measured or, where attention mixes places, divided.

    Raises:
        UnsupportedArchitecture: as :func:`measure` and :func:`divided`.
    """
    if isinstance(cut, Split) and cut.mixes:
        return divided(cut, bands, input_size)
    return measure(cut.maps, bands, input_size)


def _near(a: float, b: float) -> bool:
    return abs(a - b) < _TOLERANCE


@dataclass(frozen=True)
class _Axis:
    """Spacing of activations along one axis, centre of the first, reach to either side, and
    how many there were.
    """

    stride: float
    first: float
    reach: float
    cells: int


def _measure_axis(trunk: Callable[[Tensor], Tensor], bands: int, axis: int, side: int) -> _Axis:
    shape = [1, bands, _SHORT_SIDE, _SHORT_SIDE]
    shape[axis] = side
    x = torch.ones(shape, requires_grad=True)
    with _Linearised():
        profile = trunk(x).mean(dim=(0, 1, 5 - axis))
    if profile.numel() < 3:
        raise UnsupportedArchitecture(
            f"It has {profile.numel()} cell(s) along {side} pixels, which is no map. Name a layer "
            "before."
        )
    middle = profile.numel() // 2
    (here, reach), (there, _) = (_field(profile[i], x, axis) for i in (middle, middle + 1))
    first = here - middle * (there - here)
    return _Axis(there - here, first, reach, profile.numel())


def _field(activation: Tensor, x: Tensor, axis: int) -> tuple[float, float]:
    """Centroid of an activation's receptive field, and the distance from it that holds nearly
    all.
    """
    (gradient,) = torch.autograd.grad(activation, x, retain_graph=True)
    weight = gradient.double().sum(dim=[d for d in range(4) if d != axis])
    weight /= weight.sum()
    position = torch.arange(len(weight), dtype=torch.float64)
    centre = float((weight * position).sum())
    distance, order = (position - centre).abs().sort()
    held = weight[order].cumsum(0)
    return centre, float(distance[int((held < _REACH_SHARE).sum())])
