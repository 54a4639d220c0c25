"""Networks that label pixels, against a plain loop of backward passes over the whole network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Said
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.routes import explain
from geogaze.models.targets import Target
from geogaze.networks.architectures import build
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.proposing import deepest_map
from geogaze.networks.regions import Regions, labelled
from geogaze.networks.split import Split
from tests.benchmarks.plain import Watched, off
from tests.unit.evidence import strangers as s

SIZE, EXACT = 64, 1e-5
TARGETS: list[Target] = [(0, None), (1, None), (2, None), (1, 2), (None, 0)]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return s.drawn(s.Segmenting())


def pictures(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


def cut_of(network: nn.Module, rule: str = "softmax") -> Split | Captured:
    return labelled(cut_at(network, "encoder"), Regions(rule))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["softmax", "sigmoid"])
def test_evidence_is_of_the_sum_over_where_a_class_is_predicted(
    network: nn.Module, task: str
) -> None:
    found = explain(cut_of(network, task), pictures(), TARGETS)
    alone = torch.from_numpy(Watched(network, "encoder", task=task).evidence(pictures())).float()
    wanted = torch.cat([alone, (alone[:, 1] - alone[:, 2])[:, None], -alone[:, :1]], dim=1)
    assert found.route == "graph"
    assert off(found.evidence.numpy(), wanted.numpy()) < EXACT
    assert found.shares is not None
    assert 0 <= found.shares.min() < found.shares.max() <= 1
    assert (alone.abs().amax((0, 2, 3)) > 0).sum() > 1


def test_the_best_class_is_that_of_most_pixels(network: nn.Module) -> None:
    cut, images = cut_of(network), pictures(3)
    every, best = (explain(cut, images, targets) for targets in (TARGETS[:3], None))
    assert every.shares is not None
    most = every.shares.argmax(dim=1)
    own = every.evidence[torch.arange(3), most]
    assert off(best.evidence[:, 0].numpy(), own.numpy()) < EXACT


def test_a_network_in_two_pieces_is_the_same(network: nn.Module) -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = s.Net().trunk
            self.head = nn.Sequential(nn.Conv2d(16, 3, 1), nn.Upsample(scale_factor=8.0))

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.trunk(images))

    halves = s.drawn(Halves())
    found = explain(labelled(cut_at(halves), Regions("softmax")), pictures(), TARGETS[:3])
    wanted = torch.from_numpy(Watched(halves, "trunk").evidence(pictures())).float()
    assert found.route == "head-vjp"
    assert off(found.evidence.numpy(), wanted.numpy()) < EXACT


@pytest.mark.parametrize(
    ("classes", "task", "told"),
    [
        (3, None, "3 bands, segmentation, 3 logits (softmax), graph at encoder, cells of 8 px"),
        (3, "sigmoid", "segmentation, 3 logits (sigmoid)"),
        (3, "none", "segmentation, 3 logits (no probabilities)"),
        (1, None, "segmentation, 1 logit (sigmoid)"),
    ],
)
def test_the_door_says_that_pixels_are_labelled(classes: int, task: None, told: str) -> None:
    names = tuple(f"class {i}" for i in range(classes))
    said = Said(names, ("red", "green", "blue"), SIZE, "encoder", task)
    found = admit(s.drawn(s.Segmenting(classes)), said)
    assert told in found.told()
    assert found.labels_pixels


def test_a_softmax_over_classes_is_taken_off() -> None:
    network = nn.Sequential(s.drawn(s.Segmenting()), nn.Softmax2d()).eval()
    found = admit(network, Said(("a", "b", "c"), ("r", "g", "b"), SIZE, "0.encoder"))
    assert (found.stripped, found.task) == ("1", "softmax")


def test_the_end_of_the_encoder_is_proposed(network: nn.Module) -> None:
    assert deepest_map(network, pictures()) == "encoder"


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("fcn_resnet50", "backbone.layer4"),
        ("deeplabv3_mobilenet_v3_large", "backbone.16"),
        ("lraspp_mobilenet_v3_large", "backbone.16"),
    ],
)
def test_torchvisions_are_looked_at_behind_their_encoder(name: str, layer: str) -> None:
    cut = cut_at(build(name, 5, 4))
    assert isinstance(cut, Captured)
    assert cut.module == layer


def test_pixels_are_of_the_same_score(network: nn.Module) -> None:
    """Integrated along images that lead to this one, over where its own classes are."""
    images = pictures(1)
    pixels = PixelNetwork(cut_of(network))
    found = pixels.explain(images, TARGETS[:3], "saliency")
    leaf = images.clone().requires_grad_()
    labels = network(leaf)
    best = labels.argmax(1)
    for k in range(3):
        score = (labels[:, k] * (best == k)).sum()
        (gradient,) = torch.autograd.grad(score, leaf, retain_graph=True)
        wanted = gradient.abs().amax(1)
        assert off(found.evidence[:, k].numpy(), wanted.numpy()) < EXACT
    assert found.shares is not None
    assert found.shares.sum() == pytest.approx(1)
    sums = pixels.attribute("integrated-gradients", images, TARGETS[:3]).sum((2, 3))
    regions = Regions("softmax")
    with torch.no_grad(), regions.within(regions.places(network(images))):
        change = regions(network(images)).logits - regions(network(images * 0)).logits
    torch.testing.assert_close(sums, change, rtol=0.02, atol=0.02 * float(change.abs().max()))
