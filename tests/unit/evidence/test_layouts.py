"""Activations that are no maps: channels last, and tokens, each exact against plain autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import SwinTransformer

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence import engine as engine_module
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.routes import explain
from geogaze.models.bundles import Bundle
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at, split
from geogaze.networks.layouts import AsMaps, Tokens, channels_last, maps
from geogaze.networks.split import Split
from tests.factories import make_values
from tests.unit.evidence.test_routes import difference, slow_cams

CAMS = tuple(name for name, method in METHODS.items() if method.of_layer)
TARGETS: list[Target] = [(0, None), (3, None), (2, 1), (None, 4)]
CLASSES, SIDE = 5, 32


class Convolutional(nn.Module):
    """Maps (B, C, h, w)."""

    as_maps: AsMaps = staticmethod(maps)

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 12, 8, stride=8), nn.GELU())
        head = (nn.Conv2d(12, 8, 2), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(*head, nn.Linear(8, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))


class Permuted(nn.Module):
    """From (B, h, w, C) to maps."""

    def forward(self, activations: Tensor) -> Tensor:
        return activations.permute(0, 3, 1, 2)


class Swin(nn.Module):
    """Torchvision's Swin transformer, small; between its stages channels come last."""

    as_maps: AsMaps = staticmethod(channels_last)

    def __init__(self) -> None:
        super().__init__()
        swin = SwinTransformer([4, 4], 8, [1, 2], [2, 2], [2, 2], num_classes=CLASSES)
        self.whole = swin
        self.trunk = nn.Sequential(*swin.features)
        pooled = (Permuted(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), swin.head)
        self.head = nn.Sequential(swin.norm, *pooled)

    def forward(self, images: Tensor) -> Tensor:
        return self.whole(images)


class Patches(nn.Module):
    """Tokens (B, 1 + g · g, C): a class token, then patches row by row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, 8, stride=8)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 17, width) / 4)
        layer = {"dim_feedforward": 24, "dropout": 0.0, "batch_first": True, "norm_first": True}
        self.block = nn.TransformerEncoderLayer(width, 2, **layer)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), patches], dim=1)
        return self.block(tokens + self.place)


class MeanOfTokens(nn.Module):
    """Norm, mean over the tokens, linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.norm(tokens).mean(dim=1))


class Transformer(nn.Module):
    """A vision transformer that decides by the mean of its tokens."""

    as_maps: AsMaps = Tokens(prefix=1)

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Patches(12)
        self.head = MeanOfTokens(12)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))


@dataclass(frozen=True)
class Case:
    network: type[nn.Module]
    by_hand: Callable[[Tensor], Tensor]
    """Maps, written out: from the trunk's activations, or a gradient by them."""


CASES = {
    "maps": Case(Convolutional, lambda t: t),
    "channels last": Case(
        Swin, lambda t: torch.stack([t[..., c] for c in range(t.shape[-1])], dim=1)
    ),
    "tokens": Case(
        Transformer,
        lambda t: torch.stack(
            [
                torch.stack([t[:, 1 + 4 * row + col] for col in range(4)], dim=-1)
                for row in range(4)
            ],
            dim=-2,
        ),
    ),
}


@cache
def drawn(case: str) -> nn.Module:
    torch.manual_seed(4)
    return CASES[case].network().double().eval().requires_grad_(False)


def pictures() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)).double()


def by_autograd(case: str, method: str) -> tuple[Tensor, Tensor]:
    """Logits and evidence, a score at a time."""
    network, by_hand = drawn(case), CASES[case].by_hand
    activations = network.trunk(pictures()).detach().requires_grad_()
    logits = network.head(activations)
    gradients = []
    for plus, minus in TARGETS:
        score = sum(
            sign * logits[:, at].sum() for at, sign in ((plus, 1), (minus, -1)) if at is not None
        )
        (gradient,) = torch.autograd.grad(score, activations, retain_graph=True)
        gradients.append(by_hand(gradient))
    seen = by_hand(activations.detach())
    return logits.detach(), slow_cams(method, torch.stack(gradients), seen)


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("case", CASES)
def test_evidence_is_that_of_autograd_whatever_the_layout(case: str, method: str) -> None:
    network = drawn(case)
    logits, expected = by_autograd(case, method)
    cut = split(network)
    result = explain(cut, pictures(), TARGETS, method)
    assert result.route == "head-vjp"
    assert result.evidence.shape == (2, len(TARGETS), *cut.maps(pictures()).shape[2:])
    assert difference(result.evidence, expected) < 1e-9
    torch.testing.assert_close(result.logits, logits)
    torch.testing.assert_close(result.logits, network(pictures()))
    assert expected.std(dim=(2, 3)).min() > 0


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize(
    ("case", "layer", "as_maps"),
    [
        ("channels last", "whole.features.2", channels_last),
        ("tokens", "trunk.block", Tokens(1)),
        ("tokens", "trunk.embed", maps),
    ],
)
def test_a_layer_inside_says_how_its_activations_lie(
    case: str, layer: str, as_maps: AsMaps, method: str
) -> None:
    cut = cut_at(drawn(case), layer, as_maps)
    assert isinstance(cut, Captured)
    result = explain(cut, pictures(), TARGETS, method)
    assert result.route == "graph"
    activations, logits = cut.run(pictures())
    gradients = []
    for plus, minus in TARGETS:
        score = sum(
            sign * logits[:, at].sum() for at, sign in ((plus, 1), (minus, -1)) if at is not None
        )
        (gradient,) = torch.autograd.grad(score, activations, retain_graph=True)
        gradients.append(as_maps(gradient))
    expected = slow_cams(method, torch.stack(gradients), as_maps(activations.detach()))
    assert difference(result.evidence, expected) < 1e-9


def test_a_layer_whose_layout_nobody_names_is_taken_for_maps() -> None:
    with pytest.raises(UnsupportedArchitecture, match=r"\(2, 17, 12\), not maps"):
        explain(Captured(drawn("tokens"), "trunk.block"), pictures(), own([0]))


def test_a_shift_of_channels_is_known_for_maps_alone() -> None:
    """What pools rows and columns of maps would pool columns and channels of another layout."""
    cut = split(drawn("maps"))
    pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5).double())
    trunk = nn.Sequential(cut.trunk, nn.Flatten(2), nn.Unflatten(2, (4, 4)), _Turned())
    turned = Split(trunk, pooling.requires_grad_(False), "", channels_last)
    assert explain(turned, pictures(), own([0])).route == "head-vjp"


class _Turned(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1)


def test_what_is_not_of_a_layout_is_refused() -> None:
    for tokens, given in (
        (Tokens(0), torch.zeros(2, 17, 12)),
        (Tokens(1), torch.zeros(2, 1, 12)),
        (Tokens(3), torch.zeros(2, 2, 12)),
        (Tokens(0), torch.zeros(2, 12, 4, 4)),
    ):
        with pytest.raises(UnsupportedArchitecture, match="rows × rows, channels"):
            tokens(given)
    with pytest.raises(UnsupportedArchitecture, match="rows, cols, channels"):
        channels_last(torch.zeros(2, 16, 12))


def test_guided_gradcam_is_the_same_of_any_layout() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    last = nn.Sequential(body, _Turned()), nn.Sequential(_TurnedBack(), head), "", channels_last
    images = torch.randn(2, 3, 8, 8)
    found, wanted = (
        PixelNetwork(cut).attribute("guided-gradcam", images, own([0, 1]))
        for cut in (Split(*last), Split(body, head, ""))
    )
    assert wanted.max() > 0
    torch.testing.assert_close(found, wanted)


class _TurnedBack(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2)


@pytest.mark.parametrize("case", CASES)
def test_bundles_of_any_layout_are_explained_tile_by_tile(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(4)
    network = CASES[case].network().eval().requires_grad_(False)
    monkeypatch.setattr(engine_module, "load_model", lambda bundle: network)
    bundle = Bundle(
        name=case,
        architecture="own",
        classes=tuple("abcde"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        input_size=SIDE,
        module="trunk",
        stride=8,
        first_center=3.5,
        cells=4,
        weights="sha256:0",
    )
    engine = Engine(bundle, EngineOptions("cpu"))
    pixels = engine.prepare(make_values(40, 48), np.ones((40, 48), dtype=bool), ((0.0, 255.0),))
    corners = [(0, 0), (8, 16)]
    (result,) = engine.explain_tiles(pixels, corners, TARGETS)
    assert result.route == "head-vjp"
    images = torch.cat([pixels[:, :, r : r + SIDE, c : c + SIDE] for r, c in corners])
    expected = explain(split(network), images, TARGETS)
    assert difference(torch.from_numpy(result.evidence), expected.evidence) < 1e-4
    np.testing.assert_allclose(result.logits, network(images).numpy(), atol=1e-5)
