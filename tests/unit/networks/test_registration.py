"""Where activations look: against known geometry, the catalogue, and the networks' behaviour."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.models.registry import torchvision_catalogue
from geogaze.networks.architectures import build
from geogaze.networks.cuts import split
from geogaze.networks.registration import Registration, measure, register
from geogaze.networks.split import Split

KNOWN = {
    "vgg16": (16, 7.5, 14),
    "resnet18": (32, 0.0, 7),
    "resnet50": (32, 0.0, 7),
    "mobilenet_v2": (32, 0.0, 7),
    "squeezenet1_1": (16, 15.0, 13),  # no padding: 1 + 2 + 4 + 8
    "alexnet": (16, 15.0, 13),
    "densenet121": (32, 14.0, 7),  # average pooling 2×2: 2 + 4 + 8
}
SEE_EVERYTHING = (
    *("mobilenet_v3", "efficientnet", "regnet_y"),  # squeeze and excitation
    *("swin", "maxvit", "vit"),  # attention
)


def catalogued(name: str) -> Registration:
    entry = torchvision_catalogue()[name]
    return Registration(entry.stride, entry.first_center, entry.cells, entry.halo)


@pytest.mark.parametrize(("name", "expected"), KNOWN.items())
def test_the_catalogue_has_the_geometry_of_kernels_strides_and_paddings(
    name: str, expected: tuple[int, float, int]
) -> None:
    found = catalogued(name)
    assert (found.stride, found.first_center, found.cells) == expected


def test_a_halo_is_some_strides_wide_where_the_trunk_is_local() -> None:
    for name in torchvision_catalogue():
        found = catalogued(name)
        if name.startswith(SEE_EVERYTHING):
            assert found.halo is None, name
        else:
            assert found.halo is not None, name
            assert found.halo > 0, name
            assert found.halo % found.stride == 0, name


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v2",
        "squeezenet1_1",
        "alexnet",
        "mobilenet_v3_small",
        "shufflenet_v2_x0_5",
        "convnext_tiny",
    ],
)
def test_measured_geometry_is_the_catalogues(name: str) -> None:
    trunk = split(build(name, 10)).trunk
    assert measure(trunk, 3, torchvision_catalogue()[name].input_size) == catalogued(name)


@pytest.mark.parametrize(
    ("trunk", "expected"),
    [
        (nn.Conv2d(3, 4, 4, stride=4), Registration(4, 1.5, 15, halo=4)),
        (nn.Conv2d(3, 4, 3, padding=1), Registration(1, 0.0, 60, halo=1)),
        (nn.Conv2d(3, 4, 3, padding=4, dilation=4), Registration(1, 0.0, 60, halo=4)),
        # Looks at 0 … 4: two pixels to either side of 2, which is within a stride.
        (nn.Conv2d(3, 4, 5, stride=2), Registration(2, 2.0, 28, halo=2)),
        (nn.MaxPool2d(3, 2, padding=1), Registration(2, 0.0, 30, halo=2)),
        (nn.MaxPool2d(3, 2), Registration(2, 1.0, 29, halo=2)),
        (nn.MaxPool2d(3, 2, ceil_mode=True), Registration(2, 1.0, 30, halo=2)),
        (nn.Conv2d(3, 4, 1, stride=2), Registration(2, 0.0, 30, halo=2)),
        # 1 + 2·1 pixels to either side; the average's 2 pixels end at a half.
        (
            nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)),
            Registration(2, 0.0, 30, halo=4),
        ),
        # Pairs of cells see the same four pixels: the middle of each pair is theirs.
        (
            nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ConvTranspose2d(4, 4, 2, 2)),
            Registration(2, 0.5, 30, halo=2),
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.AvgPool2d(2)),
            Registration(2, 0.5, 30, halo=2),
        ),
    ],
)
def test_geometry_computed_by_hand(trunk: nn.Module, expected: Registration) -> None:
    assert measure(trunk, 3, 60) == expected


class SeesEverything(nn.Module):
    """Scales channels by what is in the whole image."""

    def __init__(self, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 2, stride=2)
        self.gate = nn.Conv2d(4, 4, 1)
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        return x * self.gate(self.pool(x)).sigmoid()


@pytest.mark.parametrize(
    "pool",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d(1),
        lambda x: x.mean((2, 3), keepdim=True),
        lambda x: torch.mean(x, dim=(2, 3), keepdim=True),
        lambda x: x.amax((2, 3), keepdim=True),
    ],
)
def test_a_trunk_that_pools_over_the_whole_input_has_no_halo(
    pool: Callable[[Tensor], Tensor],
) -> None:
    assert measure(SeesEverything(pool), 3, 60) == Registration(2, 0.5, 30, halo=None)
    assert measure(SeesEverything(nn.Identity()), 3, 60) == Registration(2, 0.5, 30, halo=2)


@pytest.mark.parametrize(
    "norm",
    [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 30, 30], elementwise_affine=False)],
)
def test_so_has_one_whose_norm_looks_at_the_whole_map(norm: nn.Module) -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), norm)
    assert measure(trunk, 3, 60) == Registration(2, 0.5, 30, halo=None)


def test_an_average_over_the_whole_map_is_global_a_smaller_one_is_not() -> None:
    for kernel, halo in ((30, None), (2, 2)):
        pool = functools.partial(nn.functional.avg_pool2d, kernel_size=kernel, stride=1)
        assert measure(SeesEverything(lambda x, p=pool: p(x)[:, :, :1, :1]), 3, 60).halo == halo


class Keyword(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        weight = torch.ones(4, 3, 3, 3)
        return nn.functional.conv2d(input=images, weight=weight, stride=2, padding=1)


def test_convolutions_by_keyword_are_read_like_others() -> None:
    assert measure(Keyword(), 3, 60) == Registration(2, 0.0, 30, halo=2)


def test_patches_of_one_size_divide_the_image() -> None:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 15, stride=15)
            self.place = nn.Parameter(torch.ones(1, 4, 4, 4))

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(images) + self.place

    cut = Split(Patches(), nn.Identity(), "trunk")
    assert register(cut, 3, 60) == Registration(15, 7.0, 4, halo=None)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_an_activation_at_the_border_of_a_tile_sees_little_beyond_the_halo(name: str) -> None:
    """Nothing linearised: of a bright image, the share that comes from within the halo."""
    trunk = _positive_and_symmetric(name)
    entry = torchvision_catalogue()[name]
    assert entry.halo is not None

    def response(margin: int) -> Tensor:
        """Of the first and last cell of a tile with a margin to either side."""
        width = 2 * margin + 5 * entry.stride
        with torch.no_grad():
            values = trunk(torch.full((1, 3, 64, width), 0.1)).mean(dim=(0, 1, 2))
            values -= trunk(torch.zeros(1, 3, 64, width)).mean(dim=(0, 1, 2))
        first = margin // entry.stride
        return values[[first, first + 3]]

    share = response(entry.halo) / response(entry.halo + 8 * entry.stride)
    assert (share > 0.97).all(), share
    assert (response(0) / response(entry.halo)).min() < 0.9, "it does see beyond the tile"


def test_bands_and_input_size_are_free() -> None:
    trunk = nn.Sequential(nn.Conv2d(5, 4, 4, stride=4), nn.ReLU())
    assert measure(trunk, 5, 60) == Registration(4, 1.5, 15, halo=4)


def test_weights_are_not_looked_at() -> None:
    torch.manual_seed(0)
    drawn = split(build("shufflenet_v2_x0_5", 10, initialise=True)).trunk
    assert measure(drawn, 3, 224) == Registration(32, 0.0, 7, halo=128)


def test_a_trunk_that_sees_rows_and_columns_differently_is_refused() -> None:
    trunk = nn.Conv2d(3, 4, 3, stride=(2, 4), padding=1)
    with pytest.raises(UnsupportedArchitecture, match="differently"):
        measure(trunk, 3, 224)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("vgg11", 384),
        ("resnet18", 768),
        ("mobilenet_v2", 768),
        ("squeezenet1_1", 320),
        ("densenet121", 768),
    ],
)
def test_a_bright_line_lights_up_the_activation_registered_nearest_to_it(
    name: str, width: int
) -> None:
    """Nothing linearised here: the real network, all nonlinearities included, with weights that
    are random but positive and mirror-symmetric, so that geometry alone decides."""
    trunk = _positive_and_symmetric(name)
    entry = torchvision_catalogue()[name]
    stride, first = entry.stride, entry.first_center
    # Every position of one stride about the middle, as far from the padding as may be: a 3×3 max
    # pooling of stride 2 pulls lines on even pixels one way, lines on odd ones the other.
    lines = (width - stride) // 2 + np.arange(stride)
    images = torch.zeros(len(lines), 3, 32, width)
    for image, line in zip(images, lines, strict=True):
        image[:, :, line] = 1.0
    with torch.no_grad():
        response = trunk(images).double().mean(dim=(1, 2))
        response -= trunk(torch.zeros(1, 3, 32, width)).double().mean(dim=(1, 2))
    centres = first + stride * np.arange(response.shape[1])
    shares = (response / response.sum(dim=1, keepdim=True)).numpy()
    # The whole response, averaged over all positions of a stride, sits on the line: half a pixel
    # off in the registration would be seen.
    drift = shares @ centres - lines
    assert abs(drift.mean()) < 0.1, drift
    # The strongest activation is the nearest one, unless two are about equally near.
    distance = np.abs(centres[None] - lines[:, None])
    two = np.sort(distance, axis=1)[:, :2]
    clear = two[:, 1] - two[:, 0] > stride / 4
    assert clear.sum() >= stride // 2
    assert (shares.argmax(axis=1) == distance.argmin(axis=1))[clear].all()


def _positive_and_symmetric(name: str) -> nn.Module:
    torch.manual_seed(3)
    trunk = split(build(name, 2)).trunk.to_empty(device="cpu")  # a classifier takes its time
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().abs() + 1e-3
            weight = weight + weight.flip(3)
            weight = weight + weight.flip(2)
            # Rows of weights sum to one: nothing grows into ReLU6's ceiling.
            module.weight.data = weight / weight.sum(dim=(1, 2, 3), keepdim=True)
            if module.bias is not None:
                module.bias.data.zero_()
    return trunk
