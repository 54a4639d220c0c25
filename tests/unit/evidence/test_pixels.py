"""Pixel maps by hand and against plain autograd, what they must not depend on, and refusals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SqueezeNet

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.pixels.integrated_gradients import STEPS
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target
from geogaze.networks.architectures import build
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import split
from geogaze.networks.split import Split

PIXEL_METHODS = tuple(name for name, method in METHODS.items() if method.per_pixel)
TARGETS: list[Target] = [(3, None), (0, 2), (None, 3)]
RELU_METHODS = ("deconvnet", "guided-backprop", "guided-gradcam")
ANY_NETWORK = ("saliency", "integrated-gradients")


@cache
def pieces(name: str, seed: int = 0) -> Split:
    torch.manual_seed(seed)
    model = build(name, 4, initialise=True).double().requires_grad_(False)
    # Batch statistics as training would leave them: else images hardly reach the last layers.
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        model(pictures(4))
        model.eval()
    if isinstance(model, SqueezeNet):  # its logits pass a ReLU; keep them off zero
        model.classifier[1].bias.uniform_(0.05, 0.2)
    return split(model)


def pictures(count: int, size: int = 48) -> Tensor:
    coarse = torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(7))
    return nn.functional.interpolate(2 * coarse, size, mode="bilinear", antialias=True).double()


def maps(cut: Split, method: str, images: Tensor, targets: list[Target] | None) -> Tensor:
    return PixelNetwork(cut).attribute(method, images, targets)


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference, of the largest value of each map; some maps may be 0."""
    peak = b.abs().amax(dim=(-2, -1), keepdim=True)
    assert peak.max() > 0
    return float(((a - b).abs() / peak.clamp(min=1e-30)).max())


# A slow reference, written from the papers: one image and one target at a time, plain autograd,
# every ReLU replaced where all of them end, those of modules in F.relu.


class Rule(torch.autograd.Function):
    """ReLU, whose backward pass lets only positive gradients through."""

    uses = 0

    @staticmethod
    def forward(ctx, x: Tensor, guided: bool) -> Tensor:
        Rule.uses += 1
        ctx.save_for_backward(x)
        ctx.guided = guided
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        gradient = gradient.clamp(min=0)
        return (gradient * (x > 0) if ctx.guided else gradient), None


@contextmanager
def relu_rule(guided: bool) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for place in (F, torch, Tensor):
            patch.setattr(place, "relu", lambda x, inplace=False: Rule.apply(x, guided))
        Rule.uses = 0
        yield
        assert Rule.uses > 0


def gradient(cut: Split, image: Tensor, target: Target) -> Tensor:
    image = image[None].clone().requires_grad_()
    score = value(cut.head(cut.trunk(image))[0], target)
    return torch.autograd.grad(score, image)[0][0]


def value(logits: Tensor, target: Target) -> Tensor:
    plus, minus = (0 if index is None else logits[..., index] for index in target)
    return plus - minus


def slow_saliency(cut: Split, image: Tensor, target: Target) -> Tensor:
    return gradient(cut, image, target).abs().amax(dim=0)


def slow_deconvnet(cut: Split, image: Tensor, target: Target) -> Tensor:
    with relu_rule(guided=False):
        return gradient(cut, image, target).abs().amax(dim=0)


def slow_guided(cut: Split, image: Tensor, target: Target) -> Tensor:
    with relu_rule(guided=True):
        return gradient(cut, image, target).abs().amax(dim=0)


def slow_integrated(cut: Split, image: Tensor, target: Target) -> Tensor:
    total = torch.zeros_like(image)
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    for point, weight in zip(points, weights, strict=True):
        total += weight / 2 * gradient(cut, (1 + point) / 2 * image, target)
    return (total * image).sum(dim=0)


def slow_guided_gradcam(cut: Split, image: Tensor, target: Target) -> Tensor:
    activations = cut.trunk(image[None]).detach().requires_grad_()
    score = value(cut.head(activations.clone())[0], target)  # a clone: heads work in place
    (slope,) = torch.autograd.grad(score, activations)
    cam = torch.zeros(activations.shape[2:], dtype=image.dtype)
    for weight, channel in zip(slope[0].mean(dim=(1, 2)), activations[0].detach(), strict=True):
        cam += weight * channel
    cam = F.interpolate(cam.clamp(min=0)[None, None], image.shape[1:], mode="bilinear")[0, 0]
    return slow_guided(cut, image, target) * cam


SLOW: dict[str, Callable[[Split, Tensor, Target], Tensor]] = {
    "saliency": slow_saliency,
    "deconvnet": slow_deconvnet,
    "guided-backprop": slow_guided,
    "integrated-gradients": slow_integrated,
    "guided-gradcam": slow_guided_gradcam,
}


def by_reference(cut: Split, method: str, images: Tensor, targets: list[Target]) -> Tensor:
    rows = [[SLOW[method](cut, image, target) for target in targets] for image in images]
    return torch.stack([torch.stack(row) for row in rows])


class Shared(nn.Module):
    """One ReLU for two branches that run side by side, and for an input used elsewhere too."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 6, 3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.one(x), self.two(x)
        both = self.relu(a) - self.relu(b)
        return both + a + torch.relu(both - 1) + (both + 1).relu()


def toy(trunk: nn.Module, head: nn.Module) -> Split:
    return Split(trunk.double().eval(), head.double().eval(), "trunk")


def pooled(channels: int, classes: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(channels, classes))


def small(activation: nn.Module, pool: type[nn.Module] = nn.MaxPool2d) -> Split:
    torch.manual_seed(0)
    trunk = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), activation, pool(2)),
        *(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), activation),
    )
    return toy(trunk, nn.Sequential(nn.Flatten(1), nn.Linear(16 * 5 * 5, 4)))


def by_hand() -> tuple[Split, Tensor]:
    """Logits 2p + 3n and n - p, where p and n are the means of ReLU(x) and ReLU(-x)."""
    conv, head = nn.Conv2d(1, 2, 1, bias=False), pooled(2, 2)
    conv.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    head[2].weight.data = torch.tensor([[2.0, 3.0], [-1.0, 1.0]])
    head[2].bias.data = torch.tensor([0.5, 0.5])
    image = torch.tensor([[1.0, -2.0], [3.0, -4.0]]).double()[None, None]
    return toy(nn.Sequential(conv, nn.ReLU(inplace=True)), head), image


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("saliency", (0, None), [[0.5, 0.75], [0.5, 0.75]]),
        ("saliency", (None, 1), [[0.25, 0.25], [0.25, 0.25]]),
        ("saliency", (0, 1), [[0.75, 0.5], [0.75, 0.5]]),
        ("integrated-gradients", (0, None), [[0.5, 1.5], [1.5, 3.0]]),
        ("integrated-gradients", (1, None), [[-0.25, 0.5], [-0.75, 1.0]]),
        ("deconvnet", (0, None), [[0.25, 0.25], [0.25, 0.25]]),
        ("deconvnet", (1, None), [[0.25, 0.25], [0.25, 0.25]]),
        ("guided-backprop", (0, None), [[0.5, 0.75], [0.5, 0.75]]),
        ("guided-backprop", (1, None), [[0, 0.25], [0, 0.25]]),
        ("guided-gradcam", (1, None), [[0, 0.125], [0, 0.25]]),
    ],
)
def test_maps_computed_by_hand(method: str, target: Target, expected: list[list[float]]) -> None:
    cut, image = by_hand()
    result = maps(cut, method, image, [target])
    torch.testing.assert_close(result, torch.tensor(expected)[None, None])
    reference = by_reference(cut, method, image, [target])
    torch.testing.assert_close(reference.float(), torch.tensor(expected)[None, None])


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",  # a ReLU module used twice, in place
        "squeezenet1_1",  # branches
        "shufflenet_v2_x0_5",  # channels split and shuffled
        "densenet121",
        "googlenet",  # functional ReLU alone
    ],
)
def test_relu_methods_are_those_of_a_plain_loop(name: str) -> None:
    cut, images, targets = pieces(name), pictures(2), TARGETS[:2]
    network = PixelNetwork(cut)
    for method in RELU_METHODS:
        result = network.attribute(method, images, targets)
        assert result.shape == (2, 2, 48, 48)
        assert result.dtype == torch.float32
        expected = by_reference(cut, method, images[1:], targets)
        assert difference(result[1:], expected) < 1e-5


def test_saliency_is_that_of_a_plain_loop() -> None:
    cut, images = pieces("mobilenet_v3_small"), pictures(2)
    expected = by_reference(cut, "saliency", images, TARGETS)
    assert difference(maps(cut, "saliency", images, TARGETS), expected) < 1e-5


@pytest.mark.parametrize("layer", ["0", "2", "4"])
def test_guided_gradcam_is_at_the_layer_that_is_looked_at(layer: str) -> None:
    """Of a network that is not cut: as behind the layer it is in two pieces."""
    images, pieces_of = pictures(2, 16), small(nn.ReLU())
    network = nn.Sequential(*pieces_of.trunk, *pieces_of.head)
    behind = int(layer) + 1
    cut = Split(network[:behind], network[behind:], layer)
    expected = by_reference(cut, "guided-gradcam", images, TARGETS)
    found = PixelNetwork(Captured(network, layer)).attribute("guided-gradcam", images, TARGETS)
    assert difference(found, expected) < 1e-5


@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.Hardswish(), nn.GELU()])
def test_integrated_gradients_are_those_of_a_plain_loop(activation: nn.Module) -> None:
    cut, images = small(activation), pictures(3, 16)
    expected = by_reference(cut, "integrated-gradients", images, TARGETS)
    assert difference(maps(cut, "integrated-gradients", images, TARGETS), expected) < 1e-5


@pytest.mark.parametrize("method", RELU_METHODS)
def test_a_relu_shared_by_branches_counts_each_time_by_itself(method: str) -> None:
    torch.manual_seed(0)
    cut, images = toy(Shared(), pooled(6)), pictures(2, 32)
    expected = by_reference(cut, method, images, TARGETS)
    assert difference(maps(cut, method, images, TARGETS), expected) < 1e-5


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mobilenet_v2", "ReLU6"),
        ("mobilenet_v3_small", "Hardsigmoid, Hardswish"),
        ("efficientnet_b0", "SiLU, Sigmoid, mul"),
        ("regnet_y_400mf", "Sigmoid"),
        ("convnext_tiny", "GELU, LayerNorm"),
    ],
)
def test_networks_with_other_nonlinearities_are_refused(name: str, found: str) -> None:
    network = PixelNetwork(split(build(name, 4)))
    for method in RELU_METHODS:
        with pytest.raises(UnsupportedArchitecture, match=f"{found}.*saliency"):
            network.check(method)
    for method in ANY_NETWORK:
        network.check(method)


class Calls(nn.Module):
    def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.call = nn.Conv2d(3, 4, 3), call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.conv(x))


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (F.gelu, "gelu"),
        (F.relu6, "relu6"),
        (lambda x: x.clamp(min=0), "clamp"),
        (lambda x: x * x, "mul"),
        (lambda x: F.relu(x, inplace=True) + x, "in-place ReLU"),
        (lambda x: x if x.sum() > 0 else -x, "cannot list"),
    ],
)
def test_functions_are_found_too(call: Callable[[Tensor], Tensor], found: str) -> None:
    network = PixelNetwork(toy(Calls(call), pooled(4)))
    for _ in range(2):
        with pytest.raises(UnsupportedArchitecture, match=found):
            network.attribute("guided-backprop", pictures(1, 16), [(0, None)])
    assert network.attribute("saliency", pictures(1, 16), [(0, None)]).max() > 0


def test_every_relu_family_of_torchvision_is_taken() -> None:
    for name in ("alexnet", "vgg11_bn", "inception_v3", "mnasnet1_0", "regnet_x_8gf"):
        PixelNetwork(split(build(name, 4, published=True))).check("deconvnet")


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"'smoothgrad'.*saliency"):
        PixelNetwork(by_hand()[0]).check("smoothgrad")


@pytest.mark.parametrize(
    ("cut", "tolerance"),
    [(small(nn.GELU(), nn.AvgPool2d), 1e-6), (small(nn.ReLU()), 0.01)],  # smooth, and with kinks
)
def test_integrated_gradients_sum_to_the_change_of_the_score(cut: Split, tolerance: float) -> None:
    images = pictures(3, 16)
    sums = maps(cut, "integrated-gradients", images, TARGETS).sum(dim=(2, 3))
    logits, start = (cut.head(cut.trunk(x)) for x in (images, torch.zeros_like(images)))
    change = torch.stack([value(logits - start, target) for target in TARGETS], dim=1)
    assert (sums - change).abs().max() < tolerance * change.abs().max()


def test_integrated_gradients_of_a_contrast_are_the_difference() -> None:
    targets: list[Target] = [(0, 2), (0, None), (2, None), (None, 2)]
    result = maps(small(nn.ReLU()), "integrated-gradients", pictures(2, 16), targets)
    contrast, plus, minus, against = result.unbind(dim=1)
    assert difference(plus - minus, contrast) < 1e-5
    assert difference(-minus, against) < 1e-6


@pytest.mark.parametrize("method", PIXEL_METHODS)
def test_a_map_depends_on_neither_batch_nor_target_order(method: str) -> None:
    cut, images = small(nn.ReLU()), pictures(3, 16)
    together = maps(cut, method, images, TARGETS)
    shuffled = maps(cut, method, images.flip(0), TARGETS[::-1])
    assert difference(shuffled.flip(0, 1), together) < 1e-5
    alone = [maps(cut, method, image[None], TARGETS[1:2]) for image in images]
    assert difference(torch.cat(alone), together[:, 1:2]) < 1e-5


@pytest.mark.parametrize("method", PIXEL_METHODS)
def test_without_targets_each_image_gets_its_best(method: str) -> None:
    cut, images = small(nn.ReLU()), pictures(6, 16)
    best = cut.head(cut.trunk(images)).argmax(dim=1)
    assert len(best.unique()) > 1
    result = maps(cut, method, images, None)
    every = maps(cut, method, images, [(c, None) for c in range(4)])
    assert result.shape == (6, 1, 16, 16)
    assert difference(result[:, 0], every[torch.arange(6), best]) < 1e-5


def test_saliency_depends_on_the_parameters_of_every_depth() -> None:
    images = pictures(1, 32)
    trained, other = pieces("resnet18"), pieces("resnet18", 1)
    before = maps(trained, "saliency", images, TARGETS[:1])
    for cut in (
        Split(trained.trunk, other.head, ""),
        Split(nn.Sequential(other.trunk[0], *trained.trunk[1:]), trained.head, ""),
    ):
        after = maps(cut, "saliency", images, TARGETS[:1])
        assert np.corrcoef(before.flatten(), after.flatten())[0, 1] < 0.9


def hooks(*modules: nn.Module) -> int:
    every = [m for module in modules for m in module.modules()]
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in every
    )


@pytest.mark.parametrize("method", PIXEL_METHODS)
def test_nothing_given_is_changed_and_no_hook_stays(method: str) -> None:
    conv, head = nn.Conv2d(3, 4, 3), pooled(4)
    cut = toy(nn.Sequential(conv, nn.ReLU(inplace=True)), head)
    network, images = PixelNetwork(cut), pictures(1, 16)
    before = images.clone()
    with torch.no_grad():
        result = network.attribute(method, images, TARGETS)
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert not result.requires_grad
    assert cut.trunk[1].inplace
    assert conv.weight.requires_grad
    assert conv.weight.grad is None
    assert hooks(cut.trunk, head, network._score(method)) == 0
    # The class fails at the very end, the bands at the start.
    for wrong in (
        lambda: network.attribute(method, images, [(9, None)]),
        lambda: network.attribute(method, images[:, :2], TARGETS),
    ):
        with pytest.raises((RuntimeError, IndexError)):
            wrong()
        assert hooks(cut.trunk, head, network._score(method)) == 0
    assert torch.equal(network.attribute(method, images, TARGETS), result)


def test_only_captums_own_warning_is_silenced() -> None:
    cut = toy(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), pooled(4)))
    network, images = PixelNetwork(cut), pictures(1, 16)
    network.check("guided-backprop")
    network._rewritten.network.register_forward_hook(lambda *_: warnings.warn("own", stacklevel=1))
    with pytest.warns(UserWarning, match="^own$") as seen:
        network.attribute("guided-backprop", images, TARGETS)
    assert {str(warning.message) for warning in seen} == {"own"}
