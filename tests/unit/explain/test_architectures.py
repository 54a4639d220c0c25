"""Every family is cut so that head(trunk(x)) is the network itself."""

from __future__ import annotations

import pytest
import torch

from geogaze.errors import UnsupportedArchitecture
from geogaze.explain.architectures import architectures, build, split

ONE_OF_EACH_FAMILY = {
    "alexnet": 224,
    "vgg11": 64,
    "resnet18": 64,
    "densenet121": 64,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "inception_v3": 160,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "efficientnet_b0": 64,
    "mnasnet0_5": 64,
    "regnet_y_400mf": 64,
    "convnext_tiny": 64,
}


@pytest.mark.parametrize(("name", "size"), ONE_OF_EACH_FAMILY.items())
def test_the_two_pieces_make_the_network(name: str, size: int) -> None:
    torch.manual_seed(1)
    model = build(name, 7, initialise=True)
    if hasattr(model, "transform_input"):
        model.transform_input = True  # as published weights of GoogLeNet and Inception want it
    images = torch.randn(2, 3, size, size)
    cut = split(model)
    with torch.no_grad():
        activations = cut.trunk(images)
        logits = cut.head(activations)
        expected = model(images)
    assert activations.ndim == 4
    assert activations.shape[2] > 1, "the cut lies behind the pooling"
    assert logits.shape == (2, 7)
    torch.testing.assert_close(logits, expected, rtol=0, atol=0)
    # Zeros would agree with anything.
    assert expected.std() > 0


def test_networks_are_built_without_weights_unless_asked() -> None:
    assert all(p.is_meta for p in build("resnet18", 3).parameters())
    assert not build("resnet18", 3).training


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "maxvit_t", "resnet19", "", "VGG16"])
def test_what_is_not_a_known_convolutional_classifier_is_refused(name: str) -> None:
    assert name not in architectures()
    with pytest.raises(UnsupportedArchitecture, match="vgg"):
        build(name, 10)


def test_every_offered_family_has_a_cut() -> None:
    named = [name for name in architectures() if not name.startswith(("regnet", "inception"))]
    for name in named[::5]:
        assert split(build(name, 2)).layer


def test_a_network_of_an_unknown_family_has_no_cut() -> None:
    with pytest.raises(UnsupportedArchitecture, match="Linear"):
        split(torch.nn.Linear(3, 3))
