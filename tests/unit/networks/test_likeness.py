"""Weights that do not fit are told what they look like."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geogaze.errors import InvalidBundle
from geogaze.networks.architectures import build
from geogaze.networks.likeness import Likeness, likeness
from geogaze.networks.loading import assign_state


@pytest.mark.parametrize(
    ("architecture", "classes"),
    [
        ("resnet50", 1000),
        ("resnext50_32x4d", 7),
        ("vgg16_bn", 3),
        ("squeezenet1_1", 5),
        ("efficientnet_b0", 2),
        ("regnet_y_400mf", 4),
    ],
)
def test_an_architecture_is_recognised_by_names_and_shapes(architecture: str, classes: int) -> None:
    state = build(architecture, classes).state_dict()
    assert likeness(state) == Likeness(architecture, classes)


def test_auxiliary_classifiers_do_not_hide_it() -> None:
    state = build("googlenet", 5).state_dict()
    assert likeness(state | {"aux1.fc1.weight": torch.zeros(9, 9)}) == Likeness("googlenet", 5)


@pytest.mark.parametrize("fault", ["key less", "key more", "trunk", "head"])
def test_what_fits_none_is_not_guessed(fault: str) -> None:
    state = dict(build("shufflenet_v2_x0_5", 5).state_dict())
    if fault == "key less":
        del state["fc.bias"]
    elif fault == "key more":
        state["extra"] = torch.zeros(1)
    elif fault == "trunk":
        state["conv1.0.weight"] = torch.zeros(24, 4, 3, 3)
    else:
        state["fc.bias"] = torch.zeros(6)
    assert likeness(state) is None
    assert likeness({}) is None


def test_the_refusal_says_what_to_do() -> None:
    state = build("resnet50", 1000).state_dict()
    with pytest.raises(InvalidBundle) as caught:
        assign_state(build("resnet18", 1000), state, source="mine.pth")
    assert "They look like resnet50 with 1,000 classes: use --arch resnet50," in str(caught.value)
    with pytest.raises(InvalidBundle, match="look like resnet50 with 1,000 classes"):
        assign_state(build("resnet50", 21), state, source="mine.pth")
    with pytest.raises(InvalidBundle, match="Is --arch right"):
        assign_state(nn.Linear(2, 2), {"strange": torch.zeros(1)}, source="mine.pth")
