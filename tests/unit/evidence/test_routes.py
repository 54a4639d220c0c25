"""Evidence of every family by every method, against a slow reference and captum's Grad-CAM; what
it must not depend on, and what it must."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence import gradients
from geogaze.evidence.routes import Evidence, explain, explain_activations
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import split
from geogaze.networks.split import Split
from tests.unit.networks.test_architectures import (
    CLASSES,
    NETWORKS,
    activations,
    network,
    pictures,
    pieces,
)

TARGETS: list[Target] = [(0, None), (9, None), (3, 0), (None, 9)]
EVERY = own(range(CLASSES))
NOT_UNIFORM = ("alexnet", "vgg11", "squeezenet1_1")
NOT_AFFINE = (*NOT_UNIFORM, "mobilenet_v3_small", "convnext_tiny")
CAMS = tuple(name for name, method in METHODS.items() if method.of_layer)
LINEAR_METHODS = ("gradcam", "hirescam", "xgradcam")


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference, of the largest value of each map."""
    assert a.shape == b.shape
    peak = b.abs().amax(dim=(-2, -1), keepdim=True)
    assert peak.min() > 0
    return float(((a - b).abs() / peak).max())


class Opaque(nn.Module):
    """A head that cannot be read off."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


# The reference: one image and one score at a time, plain autograd, the papers' formulae.


def slow_gradients(head: nn.Module, maps: Tensor, targets: list[Target]) -> Tensor:
    """(K, B, C, h, w)."""
    gradients = torch.zeros(len(targets), *maps.shape, dtype=maps.dtype)
    for b in range(len(maps)):
        for k, (plus, minus) in enumerate(targets):
            here = maps[b : b + 1].clone().requires_grad_()
            logits = head(here * 1)[0]  # a copy: heads work in place
            score = (0 if plus is None else logits[plus]) - (0 if minus is None else logits[minus])
            score.backward()
            gradients[k, b] = here.grad[0]
    return gradients


@cache
def known_gradients(name: str) -> Tensor:
    return slow_gradients(pieces(name).head, activations(name), TARGETS)


def slow_cam(method: str, gradient: Tensor, maps: Tensor) -> Tensor:
    """(h, w) of gradient and activations (C, h, w)."""
    count = maps[0].numel()
    if method in {"hirescam", "layercam"}:
        gradient = gradient if method == "hirescam" else gradient.clamp(min=0)
        return count * torch.einsum("kij,kij->ij", gradient, maps)
    if method == "gradcam":
        weights = count * gradient.mean(dim=(1, 2))
    elif method == "xgradcam":
        total = torch.einsum("kij->k", maps)
        share = torch.einsum("kij,kij->k", gradient, maps)
        weights = count * torch.where(total == 0, 0, share / total)
    else:
        total = torch.einsum("kij->k", maps)[:, None, None]
        alpha = gradient**2 / (2 * gradient**2 + gradient**3 * total)
        alpha = torch.where(gradient == 0, 0, alpha)
        weights = torch.einsum("kij,kij->k", alpha, gradient.clamp(min=0))
    return torch.einsum("k,kij->ij", weights, maps)


def slow_cams(method: str, gradients: Tensor, maps: Tensor) -> Tensor:
    """(B, K, h, w)."""
    each = [[slow_cam(method, g, a) for g in gradients[:, b]] for b, a in enumerate(maps)]
    return torch.stack([torch.stack(row) for row in each])


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_evidence_is_that_of_a_slow_loop(name: str, method: str) -> None:
    maps = activations(name)
    result = explain_activations(pieces(name), maps, TARGETS, method)
    expected = slow_cams(method, known_gradients(name), maps)
    assert difference(result.evidence, expected) < 1e-5
    shifted = method == "gradcam" or name not in NOT_UNIFORM
    assert result.route == ("channel-shift" if shifted else "head-vjp")
    with torch.no_grad():
        torch.testing.assert_close(result.logits, pieces(name).head(maps.clone()))
    assert difference(result.evidence[:, 0], result.evidence[:, 1]) > 1e-3, "classes differ"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_three_ways_and_captum_agree(name: str) -> None:
    images, cut, model = pictures(2, NETWORKS[name]), pieces(name), network(name)
    layer = cut.module
    if name == "densenet121":  # its natural layer is a function's output
        model, layer = nn.Sequential(cut.trunk, cut.head), "0"
    maps = activations(name)
    found = explain_activations(cut, maps, TARGETS)
    assert found.route == "channel-shift"
    graph = explain(Captured(model, layer), images, TARGETS)
    assert graph.route == "graph"
    assert difference(graph.evidence, found.evidence) < 1e-5
    torch.testing.assert_close(graph.logits, found.logits)
    captum = LayerGradCam(model, model.get_submodule(layer))
    theirs = captum.attribute(images.requires_grad_(), 9, relu_attributions=False).detach()
    cells = theirs.shape[2] * theirs.shape[3]
    assert difference(found.evidence[:, 1], theirs[:, 0] * cells) < 1e-5
    for method in CAMS:
        vjp = explain_activations(Split(cut.trunk, Opaque(cut.head), ""), maps, TARGETS, method)
        assert vjp.route == "head-vjp"
        own_path = explain_activations(cut, maps, TARGETS, method).evidence
        assert difference(vjp.evidence, own_path) < 1e-5


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer3"),
        ("resnet18", "layer4.1.conv2"),  # inside a residual block
        ("resnet18", "layer4.0.bn1"),  # an in-place ReLU follows
        ("vgg11", "features.20"),  # behind the natural layer
        ("googlenet", "inception5a.branch2"),
        ("mobilenet_v3_small", "features.9.block.1"),
    ],
)
def test_a_layer_inside_the_network_is_explained_along_the_graph(name: str, layer: str) -> None:
    model, images = network(name), pictures(1, NETWORKS[name])
    cut = Captured(model, layer)
    maps = cut.activations(images)

    def rest(replaced: Tensor) -> Tensor:
        handle = model.get_submodule(layer).register_forward_hook(lambda *_: replaced)
        try:
            return model(images)
        finally:
            handle.remove()

    gradients = slow_gradients(rest, maps, TARGETS)
    for method in CAMS:
        result = explain(cut, images, TARGETS, method)
        assert result.route == "graph"
        assert difference(result.evidence, slow_cams(method, gradients, maps)) < 1e-5
    with torch.no_grad():
        torch.testing.assert_close(result.logits, model(images))
    captum = LayerGradCam(model, model.get_submodule(layer))
    if name != "resnet18" or layer != "layer4.0.bn1":  # captum reads what the ReLU overwrote
        theirs = captum.attribute(images.requires_grad_(), 0, relu_attributions=False).detach()
        found = explain(cut, images.detach(), own([0])).evidence
        assert difference(found, theirs * theirs[0, 0].numel()) < 1e-5


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "squeezenet1_1", "mobilenet_v3_small"])
def test_evidence_in_single_precision_is_that_in_double(name: str) -> None:
    cut = split(copy.deepcopy(network(name)).float())
    images = pictures(2, NETWORKS[name])
    for method in CAMS:
        single = explain(cut, images.float(), TARGETS, method)
        assert single.evidence.dtype == single.logits.dtype == torch.float32
        double = explain_activations(pieces(name), activations(name), TARGETS, method)
        assert difference(single.evidence.double(), double.evidence) < 1e-3
        assert difference(single.logits[None].double(), double.logits[None]) < 1e-3


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in NOT_AFFINE])
def test_mean_evidence_and_bias_make_the_logit(name: str) -> None:
    cut = pieces(name)
    (last,) = [m for m in cut.head.modules() if isinstance(m, nn.Linear)]
    for method in LINEAR_METHODS:
        result = explain_activations(cut, activations(name), EVERY, method)
        whole = result.evidence.mean(dim=(2, 3)) + last.bias
        torch.testing.assert_close(whole, result.logits, rtol=0, atol=1e-10)
    single = Split(cut.trunk, copy.deepcopy(cut.head).float(), "")
    result = explain_activations(single, activations(name).float(), EVERY)
    whole = result.evidence.mean(dim=(2, 3)) + last.bias.float()
    assert result.logits.abs().max() > 0.1
    torch.testing.assert_close(whole, result.logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in NOT_AFFINE])
def test_behind_global_pooling_methods_are_what_their_notes_say(name: str) -> None:
    evidence = {
        method: explain_activations(pieces(name), activations(name), TARGETS, method).evidence
        for method in CAMS
    }
    for method in ("hirescam", "xgradcam"):
        assert torch.equal(evidence[method], evidence["gradcam"])
    assert difference(evidence["layercam"], evidence["gradcam"]) > 1e-3


CUTS = {
    "uniform": lambda: pieces("shufflenet_v2_x0_5"),
    "function of a vector": lambda: pieces("mobilenet_v3_small"),
    "mixed": lambda: pieces("alexnet"),
    "by channel": lambda: pieces("squeezenet1_1"),
    "opaque": lambda: Split(pieces("alexnet").trunk, Opaque(pieces("alexnet").head), ""),
    "graph": lambda: Captured(network("shufflenet_v2_x0_5"), "stage4.2"),
}
"""A cut for every way of getting the gradient."""


@pytest.mark.parametrize("kind", CUTS)
def test_a_map_depends_on_neither_the_batch_nor_the_order_nor_the_other_classes(kind: str) -> None:
    cut, images = CUTS[kind](), pictures(3, 72)
    asked: list[Target] = [(2, None), (4, 1), (None, 6)]
    for method in CAMS:
        together = explain(cut, images, asked, method).evidence
        shuffled = explain(cut, images.flip(0), [asked[2], asked[0], asked[1]], method).evidence
        assert difference(shuffled.flip(0)[:, [1, 2, 0]], together) < 1e-5
        parts = [images[:1], images[1:]]
        alone = torch.cat([explain(cut, part, asked[1:2], method).evidence for part in parts])
        assert difference(alone, together[:, 1:2]) < 1e-5
        # More scores than cells, for which the derivative may be taken from the other side.
        many = explain(cut, images[:2], [*asked, *EVERY, *EVERY[::-1]], method).evidence
        assert many.shape[1] > many[0, 0].numel()
        assert difference(many[:, :3], together[:2]) < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_does_not_change_what_the_head_says(name: str) -> None:
    maps, cut = activations(name), pieces(name)
    for method in CAMS:
        together = explain_activations(cut, maps, TARGETS, method).evidence
        for b in range(len(maps)):
            alone = explain_activations(cut, maps[b : b + 1], TARGETS[::-1], method).evidence
            assert difference(alone.flip(1)[0], together[b]) < 1e-5


@pytest.mark.parametrize("kind", CUTS)
def test_a_class_asked_for_twice_is_answered_twice(kind: str) -> None:
    evidence = explain(CUTS[kind](), pictures(1, 72), own((3, 3))).evidence
    assert evidence.shape[1] == 2
    assert difference(evidence[:, 0], evidence[:, 1]) < 1e-12


@pytest.mark.parametrize("name", NETWORKS)
def test_random_parameters_of_the_head_change_every_map(name: str) -> None:
    cut, maps = pieces(name), activations(name)
    other = copy.deepcopy(cut.head)
    generator = torch.Generator().manual_seed(5)
    last = [m for m in other.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    last.weight.copy_(torch.randn(last.weight.shape, generator=generator) * last.weight.std())
    for method in CAMS:
        before = explain_activations(cut, maps, TARGETS, method).evidence
        after = explain_activations(Split(cut.trunk, other, ""), maps, TARGETS, method).evidence
        assert (angle(after, before) > 0.005).all()


@pytest.mark.parametrize(
    "name", ["shufflenet_v2_x0_5", "alexnet", "squeezenet1_1", "mobilenet_v3_small"]
)
def test_random_parameters_of_all_layers_or_the_first_change_every_map(name: str) -> None:
    images = pictures(2, NETWORKS[name])
    first_only = copy.deepcopy(network(name))
    first, other_first = (
        next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        for model in (first_only, network(name, 1))
    )
    assert not torch.equal(first.weight, other_first.weight)
    first.weight.copy_(other_first.weight)
    for method in CAMS:
        before = explain(pieces(name), images, TARGETS, method).evidence
        for other in (network(name, 1), first_only):
            after = explain(split(other), images, TARGETS, method).evidence
            assert (angle(after, before) > 0.005).all()


def angle(after: Tensor, before: Tensor) -> Tensor:
    """Between maps, in radians: their scale does not count."""
    cosine = nn.functional.cosine_similarity(after.flatten(2), before.flatten(2), dim=2)
    return cosine.clamp(max=1).acos()


@pytest.mark.parametrize("kind", CUTS)
def test_evidence_for_one_class_rather_than_another_is_the_difference(kind: str) -> None:
    cut, images = CUTS[kind](), pictures(2, 72)
    asked: list[Target] = [(1, None), (7, None), (1, 7), (7, 1), (None, 7), (1, 1)]
    for method in LINEAR_METHODS:
        for repeats in (1, 5):  # few scores, and more than cells
            found = explain(cut, images, asked * repeats, method).evidence
            one, another, versus, back, against, itself = found[:, -6:].unbind(1)
            assert difference(versus, one - another) < 1e-5
            assert difference(back, another - one) < 1e-5
            assert difference(against, -another) < 1e-5
            assert itself.abs().max() < 1e-9 * one.abs().max()
    # Of a method that is not linear it is the map of the score's own gradient.
    versus, one, another = (
        explain(cut, images, [target], "layercam").evidence for target in ((1, 7), *own((1, 7)))
    )
    assert difference(versus, one - another) > 1e-3


@pytest.mark.parametrize("kind", CUTS)
def test_without_targets_each_image_gets_its_best(kind: str) -> None:
    images = pictures(5, 72) * torch.linspace(0.1, 3, 5)[:, None, None, None]
    cut = CUTS[kind]()
    for method in CAMS:
        best = explain(cut, images, None, method)
        chosen = best.logits.argmax(dim=1)
        assert len(chosen.unique()) > 1
        every = explain(cut, images, EVERY, method)
        assert best.route == every.route
        assert best.evidence.shape == (5, 1, *every.evidence.shape[2:])
        assert difference(best.evidence[:, 0], every.evidence[range(5), chosen]) < 1e-5


@pytest.mark.parametrize("kind", CUTS)
def test_evidence_is_signed_and_nothing_stays_of_the_graph(kind: str) -> None:
    cut, images = CUTS[kind](), pictures(1, 72)
    before = images.clone()
    result = explain(cut, images, TARGETS)
    assert isinstance(result, Evidence)
    assert result.evidence.min() < 0 < result.evidence.max()
    assert not result.evidence.requires_grad
    assert not result.logits.requires_grad
    assert torch.equal(images, before)
    assert not images.requires_grad


def test_gradients_at_every_position_come_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    cut, maps = pieces("vgg11"), activations("vgg11")
    whole = explain_activations(cut, maps, EVERY, "hirescam").evidence
    for held in (1, 3, 7):  # scores at once
        monkeypatch.setattr(gradients, "_GROUP_BYTES", held * maps.numel() * 8 + 5)
        parts = explain_activations(cut, maps, EVERY, "hirescam").evidence
        assert difference(parts, whole) < 1e-12


class InPlace(nn.Module):
    """ReLU, known to nobody as such."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu_()


def test_heads_and_layers_that_work_in_place_spoil_nothing() -> None:
    torch.manual_seed(2)
    conv, rest = nn.Conv2d(3, 4, 3).double(), nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
    images, heads = pictures(2, 5), [nn.Sequential(relu, rest) for relu in (nn.ReLU(), InPlace())]
    for method in CAMS:
        expected = explain(Split(conv, Opaque(heads[0]), ""), images, own([0, 1]), method)
        assert difference(expected.evidence, expected.evidence) == 0, "there is something to spoil"
        for cut in (
            Split(conv, Opaque(heads[1]), ""),
            Captured(nn.Sequential(conv, heads[1]), "0"),
        ):
            found = explain(cut, images, own([0, 1]), method)
            assert torch.equal(found.evidence, expected.evidence)
            assert torch.equal(found.logits, expected.logits)


class Deaf(nn.Module):
    """Logits that the activations reach only through a step function."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean(dim=(2, 3)) > 0).to(x.dtype)


def test_what_cannot_be_differentiated_is_refused() -> None:
    cut = Split(nn.Conv2d(3, 4, 3), Deaf(), "")
    with pytest.raises(UnsupportedArchitecture, match="cannot be differentiated"):
        explain(cut, torch.rand(1, 3, 8, 8), own([0]))


def test_want_of_memory_is_not_taken_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine goes on with smaller batches."""

    def greedy(*args: object, **options: object) -> None:
        raise torch.OutOfMemoryError("too little")

    monkeypatch.setattr(torch.autograd, "grad", greedy)
    with pytest.raises(torch.OutOfMemoryError):
        explain_activations(pieces("vgg11"), activations("vgg11"), own([0]), "hirescam")
