"""The closed form through the class token's attention row, against autograd through all of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from geogaze.evidence import gradients
from geogaze.evidence.class_token import ClassTokenShift
from geogaze.evidence.routes import explain, explain_activations
from geogaze.models.targets import Target, own
from geogaze.networks.class_token import ClassTokenHead
from geogaze.networks.layouts import Tokens
from geogaze.networks.split import Split

WIDTH, HEADS, SIDE, CLASSES, PREFIX = 8, 2, 3, 5, 3
TARGETS: list[Target] = [(0, None), (3, None), (2, 1), (None, 4)]
MANY = TARGETS * 4  # more than tokens, so that cells are fewer


@pytest.fixture(scope="module")
def shift() -> ClassTokenShift:
    torch.manual_seed(2)
    head = ClassTokenHead(
        nn.LayerNorm(WIDTH),
        (nn.Parameter(torch.randn(3 * WIDTH, WIDTH)), nn.Parameter(torch.randn(3 * WIDTH))),
        HEADS,
        nn.Linear(WIDTH, WIDTH),
        nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 12), nn.GELU(), nn.Linear(12, WIDTH)),
        nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)),
    )
    return ClassTokenShift(head.double().requires_grad_(False), Tokens(PREFIX))


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    return torch.randn(
        2, PREFIX + SIDE**2, WIDTH, generator=torch.Generator().manual_seed(4)
    ).double()


def plainly(shift: ClassTokenShift, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, maps and what is on no place: all queries, keys and values, one score at a time."""
    head = shift.head
    residual = tokens[:, 0].clone().requires_grad_()
    seen = torch.cat([head.norm(tokens[:, :1]), tokens[:, 1:]], dim=1).requires_grad_()
    query, key, value = (
        part.unflatten(2, (HEADS, -1)).transpose(1, 2)
        for part in (seen @ head.weight.T + head.bias).chunk(3, dim=2)
    )
    mixed = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1) @ value
    token = residual + head.mix(mixed.transpose(1, 2).flatten(2))[:, 0]
    logits = head.classifier(token + head.feed(token))
    maps, nowhere = [], []
    for plus, minus in TARGETS:
        score = sum(
            sign * logits[:, index].sum()
            for sign, index in ((1, plus), (-1, minus))
            if index is not None
        )
        of_residual, found = torch.autograd.grad(score, [residual, seen], retain_graph=True)
        weights = found[:, PREFIX:].sum(dim=1, keepdim=True)
        maps.append((weights * seen[:, PREFIX:]).sum(dim=2).unflatten(1, (SIDE, SIDE)))
        beside = (found[:, :PREFIX] * seen[:, :PREFIX]).sum(dim=(1, 2))
        nowhere.append(beside + (of_residual * residual).sum(dim=1))
    return logits.detach(), torch.stack(maps, dim=1).detach(), torch.stack(nowhere, dim=1).detach()


def test_it_is_the_gradient_of_the_whole_attention(shift: ClassTokenShift, tokens: Tensor) -> None:
    wanted = plainly(shift, tokens)
    assert all(part.abs().min() > 1e-3 for part in wanted)
    for found, expected in zip(shift.explain(tokens, TARGETS), wanted, strict=True):
        torch.testing.assert_close(found, expected)


def test_by_cells_it_is_the_same(
    shift: ClassTokenShift, tokens: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, maps, nowhere = plainly(shift, tokens)
    monkeypatch.setattr(shift.__class__, "_from_classes", None)
    for group in (gradients._GROUP_BYTES, 1):
        monkeypatch.setattr(gradients, "_GROUP_BYTES", group)
        found = shift.explain(tokens, MANY)
        torch.testing.assert_close(found[0], logits)
        torch.testing.assert_close(found[1], maps.repeat(1, 4, 1, 1))
        torch.testing.assert_close(found[2], nowhere.repeat(1, 4))


def test_what_is_on_no_place_is_told_of_gradcam_alone(
    shift: ClassTokenShift, tokens: Tensor
) -> None:
    cut = Split(nn.Identity(), shift.head, "norm", shift.tokens, mixes=True)
    found = explain_activations(cut, tokens, TARGETS)
    assert found.nowhere is not None
    torch.testing.assert_close(found.nowhere, plainly(shift, tokens)[2])
    assert explain_activations(cut, tokens, TARGETS, "layercam").nowhere is None


class _TokenAndMean(nn.Module):
    """A linear layer on the class token beside the mean of patches; a register is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * WIDTH, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(torch.cat([tokens[:, 0], tokens[:, 2:].mean(dim=1)], dim=1))


def test_a_score_that_is_linear_is_its_bias_the_maps_mean_and_what_is_nowhere() -> None:
    torch.manual_seed(1)
    cut = Split(nn.Identity(), _TokenAndMean().requires_grad_(False), "trunk", Tokens(2))
    found = explain(cut, torch.randn(2, 2 + SIDE**2, WIDTH), own(range(CLASSES)))
    assert found.nowhere is not None
    assert found.nowhere.abs().min() > 1e-3
    total = cut.head.fc.bias + found.evidence.mean(dim=(2, 3)) + found.nowhere
    torch.testing.assert_close(total, found.logits)


def test_networks_without_such_tokens_have_nothing_nowhere() -> None:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, CLASSES))
    cut = Split(nn.Identity(), head.requires_grad_(False), "trunk")
    assert explain(cut, torch.randn(1, WIDTH, 3, 3), None).nowhere is None
