"""What a newcomer gets wrong, and what is said then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import geogaze
from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.networks.registration import measure


class Small(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1))
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.classify = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.pool(self.features(images)).mean(dim=(2, 3)))


class OfOneSize(Small):
    """Takes images of one size, as vision transformers do."""

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[-1] == 64, "wrong size"
        return super().forward(images)


IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": [-1]}, "count from 0"),
        ({"classes": []}, "names none"),
        ({"classes": 1}, "a list of names"),
        ({"classes": None}, "a list of names"),
        ({"probabilities": "tanh"}, "softmax, sigmoid or none"),
        ({"class_names": ["a", "a", "b"]}, "repeat"),
        ({"class_names": ["a/b", "a b", "c"]}, "too alike"),
        ({"class_names": "abc"}, "a list of words"),
        ({"class_names": {0: "cat", 1: "dog", 2: "cow"}}, "a list of words"),
        ({"layer": 4}, r"named_modules\(\)"),
        ({"size": (224, 224)}, "pixels of a side"),
        ({"size": 0}, "pixels of a side"),
        ({"mean": [0.5] * 3, "std": [0.0] * 3}, "above 0"),
    ],
)
def test_a_wrong_argument_is_refused_in_words(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        geogaze.explain(Small(), IMAGE, **{"layer": "features.2", **options})


def test_cells_whose_number_does_not_grow_are_no_measured_grid() -> None:
    network = models.vgg11(weights=None, num_classes=2, init_weights=False).eval()
    trunk = nn.Sequential(network.features, network.avgpool)
    with pytest.raises(UnsupportedArchitecture, match=r"7 cells for 224 pixels and 7 for.*before"):
        measure(trunk, 3, 224)
    with pytest.raises(UnsupportedArchitecture, match="no map"):
        measure(nn.Sequential(network.features, nn.AdaptiveAvgPool2d(1)), 3, 224)
    explanation = geogaze.explain(Small(), IMAGE, layer="pool")
    assert explanation.placement == "stretched"
    assert explanation.evidence.shape == (3, 7, 7)


def test_a_network_of_one_size_is_explained_at_it() -> None:
    explanation = geogaze.explain(OfOneSize(), IMAGE, layer="features.2")
    assert explanation.placement == "stretched"
    assert explanation.evidence.shape == (3, 16, 16)


def test_gradients_that_are_off_are_no_obstacle() -> None:
    with torch.no_grad():
        explanation = geogaze.explain(Small(), IMAGE, layer="features.2")
    assert explanation.placement == "measured"


def test_an_overlay_is_never_the_image_itself() -> None:
    explanation = geogaze.explain(Small(), IMAGE, layer="features.2")
    for name in explanation.classes:
        assert not np.shares_memory(explanation.overlay(name), explanation.image)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((2, 3, 64, 64), r"not \(2, 3, 64, 64\). Give one image at a time: image\[0\]"),
        ((120, 160), r"not \(120, 160\). Repeat its one band"),
        ((120, 160, 4), r"takes 3 bands: choose them, such as image\[..., :3\]"),
    ],
)
def test_an_image_of_another_shape_is_refused_with_the_mend(
    shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        geogaze.explain(Small(), np.zeros(shape, dtype=np.uint8), layer="features.2")


def test_a_photograph_by_its_path_is_told_how_to_come() -> None:
    with pytest.raises(InvalidRequest, match=r"PIL\.Image\.open"):
        geogaze.explain(Small(), "photo.png", layer="features.2")
