"""Networks made quick compute the same; batches are sized by what memory holds."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from geogaze.evidence import prepare
from geogaze.evidence.prepare import (
    count_flops,
    pixels_at_once,
    quicken,
    tiles_at_once,
    working_bytes,
)
from geogaze.evidence.routes import explain
from geogaze.evidence.runtimes.trunk import narrowed
from geogaze.models.targets import own
from geogaze.networks.architectures import build
from geogaze.networks.cuts import split
from geogaze.networks.split import Split
from tests.unit.networks.test_architectures import NETWORKS, Own, network, pictures

CPU = torch.device("cpu")
NORMED = [
    name for name in NETWORKS if name not in {"alexnet", "vgg11", "squeezenet1_1", "convnext_tiny"}
]


def single(name: str) -> Split:
    """A copy in the precision that engines load networks in."""
    return split(copy.deepcopy(network(name)).float())


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("name", NORMED)
def test_folded_trunks_compute_what_they_did(name: str) -> None:
    cut, images = single(name), pictures(1, NETWORKS[name]).float()
    before = {key: value.clone() for key, value in cut.trunk.state_dict().items()}
    had = norms(cut.trunk)
    assert had > 0
    with torch.no_grad():
        expected = cut.trunk(images)
        quick = quicken(cut)
        found = quick.trunk(images.contiguous(memory_format=torch.channels_last))
        again = cut.trunk(images)
    assert far(found, expected) < 3e-4  # float32, through up to a hundred layers
    assert found.is_contiguous(memory_format=torch.channels_last)
    # DenseNet normalises before it convolves, which cannot be folded for the most part.
    left = norms(quick.trunk)
    assert left < had / 1.5 if name == "densenet121" else left == 0
    assert (quick.head, quick.module) == (cut.head, cut.module)
    # The given cut is as it was.
    assert torch.equal(again, expected)
    after = cut.trunk.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert norms(cut.trunk) == had


@pytest.mark.parametrize("name", ["vgg11", "squeezenet1_1", "convnext_tiny"])
def test_trunks_without_batch_norm_are_only_laid_out(name: str) -> None:
    cut, images = single(name), pictures(1, NETWORKS[name]).float()
    with torch.no_grad():
        expected = cut.trunk(images)
        quick = quicken(cut)
        found = quick.trunk(images.contiguous(memory_format=torch.channels_last))
    assert far(found, expected) < 3e-4  # float32, through up to a hundred layers
    assert type(quick.trunk) is type(cut.trunk)


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_weights_are_laid_out_channels_last(name: str) -> None:
    quick = quicken(single(name))
    weights = [part.weight for part in quick.trunk.modules() if isinstance(part, nn.Conv2d)]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_evidence_of_quick_networks_is_that_of_the_network(name: str) -> None:
    cut, images = single(name), pictures(2, NETWORKS[name]).float()
    expected = explain(cut, images, own(range(4)))
    found = explain(quicken(cut), images, own(range(4)))
    assert far(found.evidence, expected.evidence) < 1e-4
    assert far(found.logits, expected.logits) < 1e-4


def trained(*modules: nn.Module) -> nn.Sequential:
    """With batch statistics that matter."""
    torch.manual_seed(0)
    made = nn.Sequential(*modules).eval().requires_grad_(False)
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return made


class Foreign(nn.Module):
    """Cannot be traced: what it does depends on what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)) * (2 if x.mean() > 0 else 1)


def shared_convolution() -> nn.Module:
    conv = nn.Conv2d(3, 3, 3)
    return trained(conv, nn.BatchNorm2d(3), conv, nn.BatchNorm2d(3))


def hooked_convolution() -> nn.Module:
    made = trained(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    made[0].register_forward_hook(lambda module, args, output: output.sin())
    return made


def spectral_norm() -> nn.Module:
    conv = torch.nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))
    return trained(conv, nn.BatchNorm2d(4))


def parametrised() -> nn.Module:
    conv = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    return trained(conv, nn.BatchNorm2d(4))


def two_readers() -> nn.Module:
    return trained(Foreign())


@pytest.mark.parametrize(
    "make", [shared_convolution, hooked_convolution, spectral_norm, parametrised, two_readers]
)
def test_what_cannot_be_folded_exactly_is_not(make: object) -> None:
    trunk = make()  # type: ignore[operator]
    images = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(4)).abs()
    trunk(images)  # spectral norm computes its weights
    expected, had = trunk(images), norms(trunk)
    quick = quicken(Split(trunk, nn.Identity(), "")).trunk
    assert far(quick(images), expected) < 1e-5
    assert norms(quick) == had


def test_networks_of_ones_own_are_folded_where_they_are_torchs_modules() -> None:
    own_network = Own().eval().requires_grad_(False)
    own_network.trunk = trained(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Tanh())
    cut = split(own_network)
    images = torch.randn(2, 3, 9, 9)
    quick = quicken(cut)
    assert norms(quick.trunk) == 0
    assert far(quick.trunk(images), cut.trunk(images)) < 1e-5


def test_narrow_weights_are_those_of_convolutions_and_linear_layers() -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Linear(5, 5))
    trunk = narrowed(trunk, "bf16")
    types = {name: parameter.dtype for name, parameter in trunk.named_parameters()}
    wide, half = torch.float32, torch.bfloat16
    assert types == {
        **dict.fromkeys(("0.weight", "0.bias", "2.weight", "2.bias"), half),
        **dict.fromkeys(("1.weight", "1.bias"), wide),
    }


def test_flops_are_those_counted_by_hand() -> None:
    trunk = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),  # 2 · 16·16 · 8 · 3·9
        nn.ReLU(),
        nn.Conv2d(8, 6, 5, stride=2, groups=2),  # 2 · 6·6 · 6 · 4·25
    )
    expected = 2 * 16 * 16 * 8 * 27 + 2 * 6 * 6 * 6 * 100
    assert count_flops(trunk, torch.zeros(1, 3, 16, 16)) == expected
    assert count_flops(trunk, torch.zeros(2, 3, 16, 16)) == 2 * expected


def test_flops_of_resnet50_are_the_published_ones() -> None:
    trunk = split(build("resnet50", 10)).trunk
    flops = count_flops(trunk, torch.zeros(1, 3, 224, 224, device="meta"))
    assert abs(flops / 2 - 4.09e9) < 0.01e9, "multiply-adds, as torchvision says, less its head's"


def test_working_memory_is_a_few_times_the_largest_map() -> None:
    small = nn.MaxPool2d(2), nn.Conv2d(8, 1, 1)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), *small)
    largest = 8 * 20 * 20 * 4
    found = working_bytes(trunk, torch.zeros(1, 3, 20, 20))
    assert 2 * largest <= found <= 8 * largest, "a layer's input and output at least"
    twice = working_bytes(trunk, torch.zeros(1, 3, 40, 20))
    assert twice == 2 * found
    double = working_bytes(trunk.double(), torch.zeros(1, 3, 20, 20).double())
    assert double == 2 * found


def test_batches_are_powers_of_two_that_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for free in (1, 999, 10_000, 123_456, 10**7, 10**12):
        monkeypatch.setattr(prepare, "free_bytes", lambda device, free=free: free)
        for each in (1, 7, 1000, 40_000):
            tiles = tiles_at_once(each, CPU)
            assert 1 <= tiles <= 32
            assert tiles & (tiles - 1) == 0
            assert tiles == 1 or tiles * each <= free / 2
            # No larger one would do.
            assert tiles == 32 or 2 * tiles * each > 0.4 * free
    assert tiles_at_once(1, torch.device("cuda")) == 256


def test_windows_are_no_larger_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "free_bytes", lambda device: 1_000_000)
    assert pixels_at_once(100, CPU) == 4_000
    assert pixels_at_once(1e9, CPU) == 0
    assert pixels_at_once(1e-9, CPU) == 12_000_000
