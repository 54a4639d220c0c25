"""LeGrad against autograd by the whole attention of every block, one score at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence import gradients
from geogaze.evidence.routes import explain
from geogaze.models.targets import Target
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import split
from geogaze.networks.layouts import Tokens
from geogaze.networks.split import Split

SIDE, HEADS, WIDTH, CLASSES = 3, 2, 16, 4
TARGETS: list[Target] = [(0, None), (3, None), (2, 1), (None, 1)]


@pytest.fixture(scope="module")
def model() -> VisionTransformer:
    torch.manual_seed(1)
    network = VisionTransformer(24, 8, 3, HEADS, WIDTH, 24, num_classes=CLASSES)
    for part in network.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=1.5 / part.in_features**0.5)
    return network.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(3)).double()


def plainly(model: VisionTransformer, images: Tensor) -> Tensor:
    """Maps (B, K, g, g): the mean over blocks and heads, the sum over queries."""
    caught: list[Tensor] = []
    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    model(images)
    for layer in model.encoder.layers:
        layer._forward_pre_hooks.clear()
    of_blocks = []
    for block, tokens in zip(model.encoder.layers, caught, strict=True):
        inside = block.self_attention
        seen = block.ln_1(tokens) @ inside.in_proj_weight.T + inside.in_proj_bias
        query, key, value = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in seen.chunk(3, dim=2)
        )
        attention = (query @ key.mT / (WIDTH / HEADS) ** 0.5).softmax(dim=-1).requires_grad_()
        token = tokens + inside.out_proj((attention @ value).transpose(1, 2).flatten(2))
        token = token + block.mlp(block.ln_2(token))
        logits = model.heads(model.encoder.ln(token)[:, 0])
        of_scores = []
        for plus, minus in TARGETS:
            score = 0 if plus is None else logits[:, plus].sum()
            score = score if minus is None else score - logits[:, minus].sum()
            (found,) = torch.autograd.grad(score, attention, retain_graph=True)
            of_scores.append(found.relu().mean(dim=1).sum(dim=1))
        of_blocks.append(torch.stack(of_scores, dim=1))
    return torch.stack(of_blocks).mean(dim=0)[:, :, 1:].unflatten(2, (SIDE, SIDE))


@pytest.mark.parametrize("group", [gradients._GROUP_BYTES, 1])
def test_it_is_the_gradient_by_the_whole_attention(
    model: VisionTransformer, images: Tensor, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "_GROUP_BYTES", group)
    wanted = plainly(model, images)
    found = explain(split(model), images, TARGETS, "legrad")
    assert found.route == "class-token"
    torch.testing.assert_close(found.logits, model(images))
    torch.testing.assert_close(found.evidence, wanted)
    assert found.evidence.max() > 2 * found.evidence.min() >= 0
    assert (wanted[:, 0] - wanted[:, 1]).abs().max() > 1e-2 * wanted.max()


def test_the_best_class_is_the_networks_not_a_blocks(
    model: VisionTransformer, images: Tensor
) -> None:
    every = explain(split(model), images, [(k, None) for k in range(CLASSES)], "legrad")
    best = explain(split(model), images, None, "legrad").evidence[:, 0]
    chosen = every.logits.argmax(dim=1)
    torch.testing.assert_close(best, every.evidence[torch.arange(2), chosen])


def test_networks_without_such_attention_are_refused(
    model: VisionTransformer, images: Tensor
) -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    for cut in (
        Split(nn.Conv2d(3, 4, 3).double(), head.double(), "trunk"),
        Captured(model, split(model).module, Tokens(1)),
    ):
        with pytest.raises(UnsupportedArchitecture, match="LeGrad is of the attention of a class"):
            explain(cut, images, TARGETS, "legrad")
