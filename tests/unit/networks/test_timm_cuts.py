"""Networks that are laid out as timm's are, cut and explained; timm itself is not needed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.routes import explain
from geogaze.extras import LibraryAbsent
from geogaze.models.targets import own
from geogaze.networks.architectures import build
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.registration import Registration, register

_CLASSES, _CHANNELS, _SIDE = 3, 8, 32


class _Network(nn.Module):
    """Features of 4 × 4 cells, and a head of a norm and a linear layer behind a pooling."""

    num_features = _CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.pretrained_cfg = {"input_size": (3, _SIDE, _SIDE)}
        self.stem = nn.Conv2d(2, _CHANNELS, 8, 8)
        self.norm, self.fc = nn.LayerNorm(_CHANNELS), nn.Linear(_CHANNELS, _CLASSES)

    def forward_features(self, images: Tensor) -> Tensor:
        return F.gelu(self.stem(images))

    def pooled(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3))

    def forward_head(self, features: Tensor) -> Tensor:
        return self.fc(F.gelu(self.norm(self.pooled(features))))

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))


class _Highest(_Network):
    def pooled(self, features: Tensor) -> Tensor:
        return features.amax(dim=(2, 3))


class _ChannelsLast(_Network):
    def forward_features(self, images: Tensor) -> Tensor:
        return super().forward_features(images).permute(0, 2, 3, 1)

    def pooled(self, features: Tensor) -> Tensor:
        return features.mean(dim=(1, 2))


class _Tokens(_Network):
    """Registers, then patches, of which the mean counts."""

    num_prefix_tokens = 2
    global_pool = "avg"

    def forward_features(self, images: Tensor) -> Tensor:
        patches = super().forward_features(images).flatten(2).transpose(1, 2)
        return torch.cat([patches[:, :2] * 2, patches], dim=1)

    def pooled(self, features: Tensor) -> Tensor:
        return features[:, 2:].mean(dim=1)


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_CHANNELS)
        self.attn = nn.MultiheadAttention(_CHANNELS, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        seen = self.norm1(tokens)
        return tokens + self.attn(seen, seen, seen, need_weights=False)[0]


class _ClassToken(_Tokens):
    """A class token and a register, of which the first alone is classified."""

    global_pool = "token"

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(_Block(), _Block())

    def forward_features(self, images: Tensor) -> Tensor:
        return self.blocks(super().forward_features(images))

    def pooled(self, features: Tensor) -> Tensor:
        return features[:, 0]


KINDS = {
    "maps": (_Network, "channel-shift"),
    "highest": (_Highest, "head-vjp"),
    "channels last": (_ChannelsLast, "channel-shift"),
    "tokens": (_Tokens, "channel-shift"),
    "class token": (_ClassToken, "graph"),
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("kind", KINDS)
def test_evidence_is_that_of_the_network_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built, route = KINDS[kind]
    monkeypatch.setattr(built, "__module__", "timm.models.made_up")
    torch.manual_seed(0)
    model = built().eval().requires_grad_(False)
    images = torch.randn(2, 2, _SIDE, _SIDE)
    cut = cut_at(model)
    found = explain(cut, images, own(range(_CLASSES)))
    assert found.route == route
    torch.testing.assert_close(found.logits, model(images))

    # Plainly: a hook on what the cut names, and a backward pass for each class.
    with torch.enable_grad():
        if isinstance(cut, Captured):
            activations, logits = cut.run(images)
            as_maps = cut.as_maps
        else:
            activations = model.forward_features(images).requires_grad_()
            logits = model.forward_head(activations)
            as_maps = {
                "channels last": lambda a: a.permute(0, 3, 1, 2),
                "tokens": lambda a: a[:, 2:].transpose(1, 2).unflatten(2, (4, 4)),
            }.get(kind, lambda a: a)
    for k in range(_CLASSES):
        (gradient,) = torch.autograd.grad(logits[:, k].sum(), activations, retain_graph=True)
        weights = as_maps(gradient).sum(dim=(2, 3), keepdim=True)
        wanted = (weights * as_maps(activations.detach())).sum(dim=1)
        assert wanted.abs().max() > 0
        assert (found.evidence[:, k] - wanted).abs().max() <= 1e-5 * wanted.abs().max()
    placed = register(cut, 2, _SIDE)
    assert placed == Registration(8, 3.5, 4, placed.halo)


def test_networks_in_double_precision_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Tokens, "__module__", "timm.models.made_up")
    cut = cut_at(_Tokens().eval().double())
    assert cut.maps(torch.zeros(1, 2, _SIDE, _SIDE).double()).dtype == torch.float64


def test_features_of_no_known_layout_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flat(_Network):
        def forward_features(self, images: Tensor) -> Tensor:
            return super().forward_features(images).mean(dim=(2, 3))

    monkeypatch.setattr(Flat, "__module__", "timm.models.made_up")
    with pytest.raises(UnsupportedArchitecture, match=r"\(1, 8\), which are neither maps"):
        cut_at(Flat().eval())


def test_without_timm_its_networks_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geogaze.extras.find_spec", lambda name: None)
    with pytest.raises(LibraryAbsent, match=r"timm:resnet18 needs timm.*geogaze\[timm\]"):
        build("timm:resnet18", 3)
