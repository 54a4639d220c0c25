"""Transformers, small ones, against a plain autograd loop over the network as it is published."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import MaxVit, SwinTransformer, VisionTransformer
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence import gradients
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.routes import explain, explain_activations
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks import architectures
from geogaze.networks.bundling import write_bundle
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import split
from geogaze.networks.families import FAMILIES
from geogaze.networks.layouts import Tokens
from geogaze.networks.registration import Registration, register

CLASSES = 5
SIZE = 64
TARGETS: list[Target] = [(0, None), (3, None), (2, 1), (None, 4)]
CAMS = tuple(name for name, method in METHODS.items() if method.of_layer)


def _vit() -> nn.Module:
    return VisionTransformer(SIZE, 16, 3, 4, 32, 48, num_classes=CLASSES)


def _vit_with_representation() -> nn.Module:
    return VisionTransformer(SIZE, 16, 2, 2, 32, 48, num_classes=CLASSES, representation_size=24)


def _swin() -> nn.Module:
    return SwinTransformer([4, 4], 16, [1, 2], [2, 2], [4, 4], num_classes=CLASSES)


def _swin_v2() -> nn.Module:
    return SwinTransformer(
        [4, 4],
        16,
        [1, 2],
        [2, 2],
        [4, 4],
        num_classes=CLASSES,
        block=SwinTransformerBlockV2,
        downsample_layer=PatchMergingV2,
    )


def _maxvit() -> nn.Module:
    return MaxVit((SIZE, SIZE), 8, 4, [16, 16], [1, 1], 8, 0.0, num_classes=CLASSES)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Registration]] = {
    "vit": (_vit, Registration(16, 7.5, 4, None)),
    "vit with a representation": (_vit_with_representation, Registration(16, 7.5, 4, None)),
    "swin": (_swin, Registration(8, 3.5, 8, None)),
    "swin v2": (_swin_v2, Registration(8, 3.5, 8, None)),
    "maxvit": (_maxvit, Registration(8, 3.5, 8, None)),
}
BY_TOKEN = ("vit", "vit with a representation")


@cache
def network(name: str) -> nn.Module:
    torch.manual_seed(3)
    model = NETWORKS[name][0]().eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=1.5 / part.in_features**0.5)
        elif isinstance(part, nn.LayerNorm | nn.BatchNorm2d):
            part.weight.uniform_(0.5, 1.5)
            part.bias.uniform_(-0.3, 0.3)
    return model.double()


def pictures(count: int = 2) -> Tensor:
    drawn = torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    return drawn.double()


def slow(name: str) -> tuple[Tensor, Tensor]:
    """Logits, and Grad-CAM of the whole network: one image and one score at a time."""
    model = network(name)
    layer, as_maps = split(model).module, split(model).as_maps
    logits, seen = [], []
    for image in pictures().split(1):
        caught: list[Tensor] = []

        def catch(module: nn.Module, inputs: object, output: Tensor, into=caught) -> Tensor:
            into.append(output.detach().requires_grad_())
            return into[0].clone()

        handle = model.get_submodule(layer).register_forward_hook(catch)
        scores = model(image)
        handle.remove()
        each = []
        for plus, minus in TARGETS:
            score = sum(
                sign * scores[0, index]
                for sign, index in ((1, plus), (-1, minus))
                if index is not None
            )
            (gradient,) = torch.autograd.grad(score, caught[0], retain_graph=True)
            weights = as_maps(gradient).sum(dim=(2, 3), keepdim=True)
            each.append((weights * as_maps(caught[0].detach())).sum(dim=1))
        logits.append(scores.detach())
        seen.append(torch.stack(each, dim=1))
    return torch.cat(logits), torch.cat(seen)


@pytest.mark.parametrize("name", NETWORKS)
def test_evidence_is_that_of_a_loop_over_the_network_as_published(name: str) -> None:
    logits, expected = slow(name)
    found = explain(split(network(name)), pictures(), TARGETS)
    assert found.route == ("class-token" if name in BY_TOKEN else "channel-shift")
    torch.testing.assert_close(found.logits, logits, rtol=1e-6, atol=1e-6)
    assert found.evidence.shape == expected.shape
    assert (found.evidence - expected).abs().max() < 1e-5 * expected.abs().max()
    # Zeros, one class for all, or the neighbour's tile would agree with other loops.
    assert (expected[0] - expected[1]).abs().max() > 1e-2 * expected.abs().max()
    assert (expected[:, 0] - expected[:, 1]).abs().max() > 1e-2 * expected.abs().max()


@pytest.mark.parametrize("name", BY_TOKEN)
def test_scores_at_a_time_are_a_matter_of_memory(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = split(network(name))
    whole = explain(cut, pictures(), own(range(CLASSES))).evidence
    monkeypatch.setattr(gradients, "_GROUP_BYTES", 1)
    torch.testing.assert_close(explain(cut, pictures(), own(range(CLASSES))).evidence, whole)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_images_best_class_is_the_one_of_all(name: str) -> None:
    cut = split(network(name))
    every = explain(cut, pictures(), own(range(CLASSES)))
    best = explain(cut, pictures(), None).evidence
    chosen = every.logits.argmax(dim=1)
    assert torch.allclose(best[:, 0], every.evidence[range(2), chosen], atol=1e-10)


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("name", BY_TOKEN)
def test_other_methods_of_class_token_networks_are_differentiated(name: str, method: str) -> None:
    cut = split(network(name))
    with torch.no_grad():
        tokens = cut.trunk(pictures())
    found = explain_activations(cut, tokens, TARGETS, method)
    whole = Captured(network(name), cut.module, Tokens(1))
    expected = explain(whole, pictures(), TARGETS, method)
    assert (found.route, expected.route) == (
        "class-token" if method == "gradcam" else "head-vjp",
        "graph",
    )
    peak = expected.evidence.abs().max()
    assert peak > 0
    assert (found.evidence - expected.evidence).abs().max() < 1e-5 * peak


def test_on_a_swin_the_mean_of_evidence_is_the_logit_less_its_bias() -> None:
    model = network("swin")
    found = explain(split(model), pictures(), own(range(CLASSES)))
    assert torch.allclose(found.evidence.mean(dim=(2, 3)) + model.head.bias, found.logits)


@pytest.mark.parametrize("name", BY_TOKEN)
def test_behind_the_last_attention_a_class_token_network_is_refused_not_black(name: str) -> None:
    last = list(network(name).encoder.layers.named_children())[-1][0]
    for layer in ("encoder.ln", f"encoder.layers.{last}"):
        with pytest.raises(UnsupportedArchitecture, match="no place of the target layer"):
            explain(Captured(network(name), layer, Tokens(1)), pictures(), TARGETS)


@pytest.mark.parametrize(("name", "expected"), [(n, r) for n, (_, r) in NETWORKS.items()])
def test_cells_divide_the_image_evenly(name: str, expected: Registration) -> None:
    assert register(split(network(name).float()), 3, SIZE) == expected
    network(name).double()


def test_cells_that_do_not_divide_the_image_are_refused() -> None:
    with pytest.raises(UnsupportedArchitecture, match="8 cells do not divide 60"):
        register(split(_swin().eval()), 3, 60)


def test_cells_shown_a_changed_patch_stand_where_it_is() -> None:
    """One patch changes what stands in its own cell, and in no other before blocks mix places."""
    model = network("vit")
    trunk = split(model).trunk
    layers, trunk.layers = trunk.layers, nn.Sequential()
    changed = pictures(1)
    changed[:, :, 16:32, 48:64] += 1
    with torch.no_grad():
        difference = Tokens(1)(trunk(changed) - trunk(pictures(1))).abs().sum(dim=1)[0]
    trunk.layers = layers
    assert difference.nonzero().tolist() == [[1, 3]]


@pytest.mark.parametrize("name", ["vit", "swin", "maxvit"])
def test_a_bundle_of_it_is_written_read_and_explained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, registration = NETWORKS[name]
    monkeypatch.setitem(architectures._OFFERED_HERE, "small", lambda classes: make())
    model = make().eval().requires_grad_(False)
    model.load_state_dict(network(name).float().state_dict())
    network(name).double()
    bundle = write_bundle(
        model,
        tmp_path / "small",
        architecture="small",
        classes=tuple("abcde"),
        input_size=SIZE,
        half=False,
    )
    assert bundle.module == split(model).module
    assert Registration(bundle.stride, bundle.first_center, bundle.cells, bundle.halo) == (
        registration
    )
    engine = Engine(bundle, EngineOptions("cpu", "fp32", 2, "torch"))
    images = pictures().float()
    found = engine.explain_batch(images, TARGETS)
    logits, expected = slow(name)
    assert (found.logits - logits).abs().max() < 1e-4 * logits.abs().max()
    assert (found.evidence - expected).abs().max() < 1e-4 * expected.abs().max()

    tile = images[:1].contiguous(memory_format=torch.channels_last)
    (result,) = engine.explain_tiles(tile, [(0, 0)], TARGETS)
    torch.testing.assert_close(torch.from_numpy(result.evidence), found.evidence[:1])
    if found.nowhere is None:
        assert result.nowhere is None
    else:
        torch.testing.assert_close(torch.from_numpy(result.nowhere), found.nowhere[:1])
    assert (found.nowhere is None) == (name != "vit")


def test_the_families_of_transformers_have_members_of_these_kinds() -> None:
    kinds = {type(network(name)) for name in NETWORKS}
    ours = {kind for family in FAMILIES for kind in family.types if kind in kinds}
    assert ours == {VisionTransformer, SwinTransformer, MaxVit}
