"""Where activations look: against known geometry, the catalogue, and the networks' behaviour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from geogaze.bundles import torchvision_catalogue
from geogaze.errors import UnsupportedArchitecture
from geogaze.explain.architectures import build, split
from geogaze.explain.registration import Registration, measure

KNOWN = {
    "vgg16": Registration(16, 7.5, 14),
    "resnet18": Registration(32, 0.0, 7),
    "resnet50": Registration(32, 0.0, 7),
    "mobilenet_v2": Registration(32, 0.0, 7),
    "squeezenet1_1": Registration(16, 15.0, 13),  # no padding: 1 + 2 + 4 + 8
    "alexnet": Registration(16, 15.0, 13),
    "densenet121": Registration(32, 14.0, 7),  # average pooling 2×2: 2 + 4 + 8
}


@pytest.mark.parametrize(("name", "expected"), KNOWN.items())
def test_the_catalogue_has_the_geometry_of_kernels_strides_and_paddings(
    name: str, expected: Registration
) -> None:
    entry = torchvision_catalogue()[name]
    assert Registration(entry.stride, entry.first_center, entry.cells) == expected


@pytest.mark.parametrize(
    "name",
    [
        "vgg16",
        "resnet18",
        "resnet50",
        "mobilenet_v2",
        "squeezenet1_1",
        "alexnet",
        "mobilenet_v3_small",
        "shufflenet_v2_x0_5",
        "convnext_tiny",
    ],
)
def test_measured_geometry_is_the_catalogues(name: str) -> None:
    entry = torchvision_catalogue()[name]
    measured = measure(split(build(name, 10)).trunk, 3, entry.input_size)
    assert measured == Registration(entry.stride, entry.first_center, entry.cells)


def test_bands_and_input_size_are_free() -> None:
    trunk = nn.Sequential(nn.Conv2d(5, 4, 4, stride=4), nn.ReLU())
    assert measure(trunk, 5, 60) == Registration(4, 1.5, 15)


def test_weights_are_not_looked_at() -> None:
    torch.manual_seed(0)
    drawn = split(build("shufflenet_v2_x0_5", 10, initialise=True)).trunk
    assert measure(drawn, 3, 224) == Registration(32, 0.0, 7)


def test_a_trunk_that_sees_rows_and_columns_differently_is_refused() -> None:
    trunk = nn.Conv2d(3, 4, 3, stride=(2, 4), padding=1)
    with pytest.raises(UnsupportedArchitecture, match="differently"):
        measure(trunk, 3, 224)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("vgg16", 384),
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
    torch.manual_seed(3)
    trunk = split(build(name, 2, initialise=True)).trunk
    _make_positive_and_symmetric(trunk)
    entry = torchvision_catalogue()[name]
    stride, first = entry.stride, entry.first_center
    # A stride's worth of positions about the middle, as far from the padding as may be.
    lines = (width - stride) // 2 + np.arange(4) * stride // 4 + stride // 8
    images = torch.zeros(len(lines), 3, 32, width)
    for image, line in zip(images, lines, strict=True):
        image[:, :, line] = 1.0
    with torch.no_grad():
        response = trunk(images).double().mean(dim=(1, 2))
        response -= trunk(torch.zeros(1, 3, 32, width)).double().mean(dim=(1, 2))
    centres = first + stride * np.arange(response.shape[1])
    shares = (response / response.sum(dim=1, keepdim=True)).numpy()
    # The whole response, averaged over the positions within a stride, sits on the line.
    drift = shares @ centres - lines
    assert abs(drift.mean()) < 1.0, drift
    # The strongest activation is the nearest one, unless two are about equally near.
    distance = np.abs(centres[None] - lines[:, None])
    two = np.sort(distance, axis=1)[:, :2]
    clear = two[:, 1] - two[:, 0] > stride / 4
    assert clear.sum() >= 2
    assert (shares.argmax(axis=1) == distance.argmin(axis=1))[clear].all()


def _make_positive_and_symmetric(trunk: nn.Module) -> None:
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().abs() + 1e-3
            weight = weight + weight.flip(3)
            weight = weight + weight.flip(2)
            # Rows of weights sum to one: nothing grows into ReLU6's ceiling.
            module.weight.data = weight / weight.sum(dim=(1, 2, 3), keepdim=True)
            if module.bias is not None:
                module.bias.data.zero_()
