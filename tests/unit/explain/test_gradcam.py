"""Evidence against two independent computations, and what it must not depend on."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torchvision.models import SqueezeNet

from geogaze.explain.architectures import Split, build, split
from geogaze.explain.gradcam import explain

CLASSES = (0, 3, 9)


@cache
def network(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = build(name, 10, initialise=True).requires_grad_(False)
    # Batch statistics as training would leave them: else images hardly reach the last layers.
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        model(pictures(4))
        model.eval()
    if isinstance(model, SqueezeNet):  # its logits pass a ReLU; keep them off zero
        model.classifier[1].bias.uniform_(0.05, 0.2)
    return model


@cache
def pieces(name: str, seed: int = 0) -> Split:
    return split(network(name, seed))


def pictures(count: int, size: int = 96) -> Tensor:
    coarse = torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(7))
    return nn.functional.interpolate(2 * coarse, size, mode="bilinear", antialias=True)


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference, of the largest value of each map."""
    peak = b.abs().amax(dim=(-2, -1), keepdim=True)
    return float(((a - b).abs() / peak).max())


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vgg16", lambda m: m.features[29]),
        ("resnet50", lambda m: m.layer4),
        ("mobilenet_v2", lambda m: m.features[18]),
        ("squeezenet1_0", lambda m: m.features[12]),
    ],
)
def test_evidence_is_captums_gradcam_times_the_cells(name: str, layer: object) -> None:
    model = network(name).double()
    images = pictures(2).double()
    try:
        ours = explain(split(model), images, CLASSES).evidence
        gradcam = LayerGradCam(model, layer(model))  # type: ignore[operator]
        for k, target in enumerate(CLASSES):
            theirs = gradcam.attribute(images.requires_grad_(), target, relu_attributions=False)
            theirs = theirs.detach()[:, 0] * theirs.shape[2] * theirs.shape[3]
            assert difference(ours[:, k], theirs) < 1e-5
            assert theirs.abs().max() > 0
    finally:
        model.float()


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "squeezenet1_0"])
def test_evidence_in_single_precision_is_that_of_a_plain_loop(name: str) -> None:
    cut, images = pieces(name), pictures(2)
    result = explain(cut, images, CLASSES)
    for b in range(2):
        activations = cut.trunk(images[b : b + 1]).detach().requires_grad_()
        logits = cut.head(activations)[0]
        assert (result.logits[b] - logits).abs().max() < 1e-4 * logits.abs().max()
        for k, target in enumerate(CLASSES):
            (gradient,) = torch.autograd.grad(logits[target], activations, retain_graph=True)
            expected = torch.zeros(activations.shape[2:])
            for channel in range(activations.shape[1]):
                weight = float(gradient[0, channel].sum())
                expected += weight * activations[0, channel].detach()
            assert difference(result.evidence[b, k], expected) < 1e-4


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121"])
def test_mean_evidence_and_bias_make_the_logit(name: str) -> None:
    model = network(name)
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    result = explain(split(model), pictures(2, 128), tuple(range(10)))
    whole = result.evidence.mean(dim=(2, 3)) + last.bias
    torch.testing.assert_close(whole, result.logits, rtol=0, atol=1e-4)


def test_a_map_depends_on_neither_batch_nor_class_order() -> None:
    cut, images = pieces("mobilenet_v2"), pictures(5)
    together = explain(cut, images, (2, 4, 6)).evidence
    shuffled = explain(cut, images.flip(0), (6, 2, 4)).evidence.flip(0)
    # Kernels for other batch sizes add up in another order; a mistake would be far larger.
    assert difference(shuffled[:, [1, 2, 0]], together) < 1e-4
    alone = torch.cat([explain(cut, images[i : i + 1], (4,)).evidence for i in range(5)])
    assert difference(alone, together[:, 1:2]) < 1e-4


def test_a_map_depends_on_its_class_its_image_and_the_weights() -> None:
    images = pictures(2)
    evidence = explain(pieces("mobilenet_v2"), images, (2, 4)).evidence
    assert difference(evidence[:, 0], evidence[:, 1]) > 0.1
    assert difference(evidence[:1], evidence[1:]) > 1e-3
    other = explain(pieces("mobilenet_v2", 1), images, (2, 4)).evidence
    assert difference(other, evidence) > 0.1


def test_without_classes_each_image_gets_its_best() -> None:
    cut, images = (
        pieces("squeezenet1_0"),
        pictures(6) * torch.linspace(0.1, 3, 6)[:, None, None, None],
    )
    best = explain(cut, images, None)
    every = explain(cut, images, tuple(range(10)))
    assert best.evidence.shape[:2] == (6, 1)
    assert torch.equal(best.classes[:, 0], best.logits.argmax(dim=1))
    chosen = every.evidence[torch.arange(6), best.classes[:, 0]]
    assert difference(best.evidence[:, 0], chosen) < 1e-4


def test_a_class_asked_for_twice_is_answered_twice() -> None:
    evidence = explain(pieces("mobilenet_v2"), pictures(1), (3, 3)).evidence
    assert torch.equal(evidence[:, 0], evidence[:, 1])


def test_evidence_is_signed_and_free_of_the_graph() -> None:
    result = explain(pieces("mobilenet_v2"), pictures(1), tuple(range(10)))
    assert result.evidence.min() < 0 < result.evidence.max()
    assert not result.evidence.requires_grad
    assert not result.logits.requires_grad
