"""A layer inside a network: what is caught, what is refused, and that no trace is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.captured import Captured
from geogaze.networks.registration import Registration, measure
from tests.unit.networks.test_architectures import network, pictures


class Toy(nn.Module):
    """With a layer of every kind that cannot be explained."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.inplace = nn.ReLU(inplace=True)
        self.pair = nn.MaxPool2d(2, return_indices=True)
        self.dead_end = nn.Conv2d(4, 4, 1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 2)
        self.after = 0

    def forward(self, images: Tensor) -> Tensor:
        x = self.inplace(self.twice(self.twice(self.first(images))))
        x, _ = self.pair(x)
        self.dead_end(x)
        self.after += 1
        return self.fc(x.mean(dim=(2, 3)))


def images(count: int = 2, size: int = 12) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def toy() -> Toy:
    torch.manual_seed(1)
    return Toy().requires_grad_(False)


def hooks(model: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
        for m in model.modules()
    )


def test_activations_and_logits_are_the_networks_own() -> None:
    model = toy()
    activations, logits = Captured(model, "first").run(images())
    assert torch.equal(activations, model.first(images()))
    assert torch.equal(logits, model(images()))
    assert activations.is_leaf
    assert logits.requires_grad
    assert torch.equal(Captured(model, "first").activations(images()), activations)


def test_work_in_place_behind_the_layer_spoils_no_activations() -> None:
    model = toy()
    model.twice = nn.Identity()
    activations, _ = Captured(model, "first").run(images())  # the ReLU works on its output
    assert activations.min() < 0
    assert torch.equal(activations, model.first(images()))
    assert not torch.equal(activations, activations.relu())


def test_activations_alone_do_not_run_the_rest() -> None:
    model = toy()
    Captured(model, "first").activations(images())
    assert model.after == 0
    Captured(model, "first").run(images())
    assert model.after == 1


@pytest.mark.parametrize(
    ("layer", "near"),
    [
        ("layer4.2", "layer4.1"),
        ("Layer4", "layer4"),
        ("layer4.1.conv", "layer4.1.conv1"),
        ("xyz", "conv1"),
        ("", "conv1"),
    ],
)
def test_an_unknown_layer_is_refused_with_near_names(layer: str, near: str) -> None:
    with pytest.raises(UnsupportedArchitecture, match=rf"ResNet has no layer '{layer}'\. .*{near}"):
        Captured(network("resnet18"), layer)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("twice", "'twice' runs more than once"),
        ("fc", r"'fc' gives \(2, 2\), not maps"),
        ("pair", "'pair' gives tuple, not maps"),
        ("dead_end", "logits do not depend on the layer 'dead_end'"),
        ("unused", "'unused' does not run"),
    ],
)
def test_layers_that_cannot_be_explained_are_refused(layer: str, said: str) -> None:
    model = toy()
    with pytest.raises(UnsupportedArchitecture, match=said):
        explain(Captured(model, layer), images(), own([0]))
    assert hooks(model) == 0


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("fc", r"\(2, 2\), not maps"),
        ("pair", "tuple, not maps"),
        ("unused", "does not run"),
    ],
)
def test_neither_do_they_have_activations(layer: str, said: str) -> None:
    model = toy()
    with pytest.raises(UnsupportedArchitecture, match=said):
        Captured(model, layer).trunk(images())
    assert hooks(model) == 0


def test_a_dead_end_is_refused_even_where_parameters_ask_for_gradients() -> None:
    model = toy().requires_grad_(True)
    with pytest.raises(UnsupportedArchitecture, match="cannot be differentiated"):
        explain(Captured(model, "dead_end"), images(), own([0]))
    result = explain(Captured(model, "first"), images(), own([0]))
    frozen = explain(Captured(toy(), "first"), images(), own([0]))
    assert torch.equal(result.evidence, frozen.evidence)
    assert not result.evidence.requires_grad
    assert not result.logits.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "use",
    [
        lambda cut: cut.run(images()),
        lambda cut: cut.activations(images()),
        lambda cut: cut.trunk(images()),
        lambda cut: explain(cut, images(), own([0, 1])),
    ],
)
def test_no_hook_stays_not_even_after_an_exception(use: Callable[[Captured], object]) -> None:
    model = toy()
    cut = Captured(model, "first")
    use(cut)
    assert hooks(model) == 0
    handle = model.inplace.register_forward_hook(lambda *_: 1 / 0)
    early = model.first.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        use(cut)
    assert hooks(model) == 2, "those of others stay"
    early.remove()
    handle.remove()
    assert hooks(model) == 0


def test_the_networks_own_hooks_are_obeyed() -> None:
    model = toy()
    before = explain(Captured(model, "first"), images(), own([0])).evidence
    model.first.register_forward_hook(lambda module, args, output: 2 * output)
    activations, logits = Captured(model, "first").run(images())
    assert torch.equal(activations, model.first(images()))
    assert torch.equal(logits, model(images()))
    assert not torch.equal(explain(Captured(model, "first"), images(), own([0])).evidence, before)


def test_the_trunk_can_be_measured() -> None:
    model = network("resnet18").float()
    try:
        cut = Captured(model, "layer3")
        assert measure(cut.trunk, 3, 224) == Registration(16, 0.0, 14, halo=64)
        assert hooks(model) == 0
    finally:
        model.double()


def test_the_trunk_is_no_part_of_the_network() -> None:
    cut = Captured(network("shufflenet_v2_x0_5"), "stage3")
    assert not list(cut.trunk.parameters())
    shown = pictures(1, 64)
    with torch.no_grad():
        assert torch.equal(cut.trunk(shown), cut.activations(shown))
    assert cut.trunk(shown).shape == (1, 96, 4, 4)
