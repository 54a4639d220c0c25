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

import torch
from torch import Tensor

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.captured import Captured
from geogaze.networks.layouts import Tokens
from geogaze.networks.linearised import Linearised
from geogaze.networks.programs.cutting import attends
from geogaze.networks.programs.program import Program
from geogaze.networks.split import Split

_LONG_SIDES = (1024, 2048, 4096)  # receptive fields of the deepest networks pass 2,000 pixels
_MOST_CELLS_OFF = 1.5  # by rounding, from what the stride says of another size
_TOLERANCE = 0.02
_SHORT_SIDE = 96  # Inception v3 takes no less than 75
_REACH_SHARE = 0.99
_SEVERAL = 8  # cells; what networks enlarge by is a power of two


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
            f"The stride {rows.stride:.3f} is not a whole number of pixels. Name a layer before."
        )
    if not (_near(rows.stride, cols.stride) and _near(rows.first, cols.first)):
        raise UnsupportedArchitecture(
            f"Activations are spaced differently along rows ({rows.stride:.2f} from "
            f"{rows.first:.2f}) and columns ({cols.stride:.2f} from {cols.first:.2f})."
        )
    stride = round(rows.stride)
    with torch.no_grad(), Linearised() as seen:
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


def divided(cut: Split | Captured, bands: int, input_size: int) -> Registration:
    """Geometry of a grid whose cells divide the image evenly, as patches and windows do.

    Args:
        cut: the network; it may live on the meta device.
        bands: channels of the input.
        input_size: T, pixels.

    Raises:
        UnsupportedArchitecture: T is no multiple of g.
    """
    with torch.no_grad():
        owner = cut.trunk if isinstance(cut, Split) else cut.model
        device = next(owner.parameters()).device
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
    if (isinstance(cut, Split) and cut.mixes) or isinstance(cut.as_maps, Tokens):
        return divided(cut, bands, input_size)
    try:
        return measure(cut.maps, bands, input_size)
    except UnsupportedArchitecture:
        raise
    except Exception as error:  # its own words: of patches, or of fixed sizes
        program = _convolving(cut)
        if program and program.recorded.images[1] is None:
            raise UnsupportedArchitecture(
                f"Where the layer {cut.module!r} looks cannot be measured "
                f"({type(error).__name__}: {error}). Name another with --layer."
            ) from error
        if program:
            raise UnsupportedArchitecture(
                f"Where the layer {cut.module!r} looks cannot be measured, as the program is for "
                f"images of {input_size} pixels alone: export it with free rows and columns, "
                "dynamic_shapes=({i: torch.export.Dim.DYNAMIC for i in (0, 2, 3)},)."
            ) from error
        return divided(cut, bands, input_size)


def _convolving(cut: Split | Captured) -> Program | None:
    """The program, if it is one, whose cells look where convolutions do, and not at even parts."""
    owner = cut.trunk if isinstance(cut, Split) else cut.model
    programs = [part for part in owner.modules() if isinstance(part, Program)]
    return programs[0] if programs and not attends(owner) else None


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
    with Linearised():
        profile = trunk(x).mean(dim=(0, 1, 5 - axis))
    if profile.numel() < 3:
        raise UnsupportedArchitecture(
            f"It has {profile.numel()} cell(s) along {side} pixels, which is no map. Name a layer "
            "before."
        )
    middle = profile.numel() // 2
    (here, reach), (there, _) = (_field(profile[i], x, axis) for i in (middle, middle + 1))
    stride = there - here
    first = here - middle * stride
    if abs(profile.numel() * stride - side) > side / 4:
        stride, first = _over_several(profile, x, axis)
    elif not _near(stride, round(stride)):
        together = _over_several(profile, x, axis)
        if _near(together[0], round(together[0])):
            stride, first = together
    return _Axis(stride, first, reach, profile.numel())


def _over_several(profile: Tensor, x: Tensor, axis: int) -> tuple[float, float]:
    """Spacing and first centre where neighbours look at the same place, as what was enlarged does,
    or are drawn together by it, as behind a skip connection: of several cells.
    """
    count = min(_SEVERAL, profile.numel() // 2)
    start = (profile.numel() - count) // 2
    places = range(start, start + count)
    centres = [_field(profile[i], x, axis)[0] for i in places]
    after = _field(profile[start + count], x, axis)[0]
    stride = (after - centres[0]) / count
    return stride, sum(c - i * stride for i, c in zip(places, centres, strict=True)) / count


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
