"""geogaze.explain on arrays and tensors: true places, true numbers, and models left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import geogaze
from geogaze.config import Settings
from geogaze.errors import InvalidRequest, UnknownClass, UnsupportedArchitecture
from geogaze.evidence.kept import load_engine
from geogaze.models.registry import find_bundle
from geogaze.networks.layouts import Tokens
from geogaze.runner.photo import explain_photo
from geogaze.scene.chips import Chip
from tests.factories import make_values
from tests.unit.networks.test_captured import hooks

SIGMA = {"mean": [0.5] * 3, "std": [0.25] * 3}


class Own(nn.Module):
    """A network that no family knows; each activation looks at 3 × 3 pixels around 4 · i."""

    def __init__(self, bands: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(
            nn.Conv2d(bands, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(1, stride=2),
            nn.Dropout(0.5),
        )
        self.fc = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.features(images).mean(dim=(2, 3)))


@pytest.fixture
def image() -> np.ndarray:
    return np.ascontiguousarray(make_values(48, 64).transpose(1, 2, 0))


def traces(model: nn.Module) -> Any:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    wanted = [(p.requires_grad, p.grad) for p in model.parameters()]
    layouts = [p.stride() for p in model.parameters()]
    return state, modes, wanted, layouts, hooks(model), [n for n, _ in model.named_modules()]


@pytest.mark.parametrize("method", ["gradcam", "layercam", "integrated-gradients"])
@pytest.mark.parametrize("layer", [None, "layer3"])
def test_nothing_of_a_module_changes(image: np.ndarray, method: str, layer: str | None) -> None:
    model = models.resnet18(num_classes=4)
    model.layer1.eval()  # part of it is frozen, and the rest in training
    before = traces(model)
    geogaze.explain(model, image, method=method, layer=layer, classes=["2"])
    after = traces(model)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:] == after[1:]


def test_a_module_that_fails_is_left_alone_too(image: np.ndarray) -> None:
    model = Own()
    before = traces(model)
    with pytest.raises(UnknownClass, match=r"no class 'tree'\. It has '0', '1', '2'"):
        geogaze.explain(model, image, layer="features.3", classes="tree")
    assert before[1:] == traces(model)[1:]


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_the_evidence_is_that_of_autograd(image: np.ndarray, context: Any) -> None:
    model = Own().eval()
    with context():
        explanation = geogaze.explain(model, image, layer="features.3", **SIGMA)
    values = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - 0.5) / 0.25
    activations = model.features(values).detach().requires_grad_()
    logits = model.fc(activations.mean(dim=(2, 3)))[0]
    for position in range(3):
        (gradient,) = torch.autograd.grad(logits[position], activations, retain_graph=True)
        expected = (gradient.sum(dim=(2, 3), keepdim=True) * activations).sum(dim=1)[0]
        found = explanation.evidence[position]
        assert np.allclose(found, expected.detach().numpy(), atol=1e-5)
        assert found.mean() == pytest.approx(
            float((logits - model.fc.bias)[position].detach()), abs=1e-5
        )
    assert explanation.probabilities == pytest.approx(logits.softmax(0).detach().numpy(), abs=1e-6)
    best = int(logits.argmax())
    assert explanation.ranking[0][0] == str(best)
    top = geogaze.explain(model, image, layer="features.3", classes="top", **SIGMA)
    assert top.classes == (str(best),)
    assert np.allclose(top.evidence[0], explanation.evidence[best])


@pytest.mark.parametrize("size", [None, 32, 96])
def test_heat_lies_where_the_network_looks(size: int | None) -> None:
    """A bright dot on black, in an image that is fitted into a square or is not."""
    model = Own().eval()
    with torch.no_grad():
        for module in (model.features[0], model.fc):
            module.weight.fill_(0.1)
            module.bias.zero_()
    image = np.zeros((48, 64, 3), dtype=np.uint8)
    image[30:34, 46:50] = 255
    explanation = geogaze.explain(
        model, image, layer="features.3", mean=[0] * 3, std=[1] * 3, size=size, classes=["1"]
    )
    rows, cols = np.indices(explanation.evidence.shape[1:])
    weight = explanation.heat[0] / explanation.heat[0].sum()
    x, y = explanation.transform @ ((weight * (cols + 0.5)).sum(), (weight * (rows + 0.5)).sum())
    assert (x, y) == pytest.approx((48, 32), abs=2.5), "the dot's middle, less than a cell off"
    at = np.unravel_index(explanation.overlay("1").astype(int).sum(axis=2).argmax(), (48, 64))
    assert at == pytest.approx((32, 48), abs=4)
    if size is None:
        assert tuple(explanation.transform)[:6] == (4, 0, -1.5, 0, 4, -1.5)


def test_arrays_and_tensors_in_any_layout_are_one_image(image: np.ndarray) -> None:
    first = geogaze.explain(Own(), image, layer="features.3").evidence
    bands_first = image.transpose(2, 0, 1)
    scaled = (image / 255).astype(np.float32)
    for other in (bands_first, torch.from_numpy(bands_first.copy())[None], scaled):
        again = geogaze.explain(Own(), other, layer="features.3").evidence
        assert np.allclose(first, again, atol=1e-5)
    normal = (torch.from_numpy(scaled).permute(2, 0, 1) - 0.5) / 0.25
    again = geogaze.explain(Own(), normal, layer="features.3", normalised=True).evidence
    scaled_by_us = geogaze.explain(Own(), image, layer="features.3", **SIGMA).evidence
    assert np.allclose(scaled_by_us, again, atol=1e-5)


def test_a_bundle_sees_what_the_command_image_sees(image: np.ndarray, bundle_folder: Path) -> None:
    explanation = geogaze.explain(bundle_folder, image)
    assert explanation.classes == ("boat", "field", "road")
    bundle = find_bundle(str(bundle_folder), allow_path=True)
    values = image.transpose(2, 0, 1)
    chip = Chip(values, np.ones(values.shape, dtype=bool))
    photo = explain_photo(load_engine(bundle, Settings(device="cpu")), chip, None)
    assert explanation.ranking == photo.ranking
    assert explanation.heat.max() <= 1
    named = geogaze.explain(bundle_folder, image, classes=["road", "boat vs field"])
    assert named.classes == ("road", "boat vs field")
    assert np.allclose(named.evidence[0], explanation.evidence[2], atol=1e-5)
    elsewhere = geogaze.explain(bundle_folder, image, layer="stage3", classes="road")
    assert (elsewhere.evidence.shape, explanation.evidence.shape[1:]) == ((1, 3, 4), (1, 2))
    assert elsewhere.probabilities[0] == pytest.approx(explanation.probabilities[2], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": "field vs boot"}, "did you mean 'boat'"),
        ({"class_names": ["a"]}, "class_names: for modules only"),
        ({"method": "gradcan"}, "No method 'gradcan'"),
        ({"out": "here"}, "out: for a scene"),
        ({"gsd": 0.5}, "gsd: for a scene"),
        ({"image": np.zeros((5, 8, 4))}, r"\(rows, cols, 3\) or .* not \(5, 8, 4\)"),
        ({"image": np.full((5, 8, 3), 200.0)}, "from 0 to 1, not from 200 to 200"),
        ({"image": np.zeros((5, 8, 3), dtype=np.uint16)}, "not uint16"),
        ({"image": np.full((5, 8, 3), np.nan)}, "not finite"),
        ({"image": "scene.tif"}, "Say where the products of a scene go"),
    ],
)
def test_what_does_not_fit_is_said(
    image: np.ndarray, bundle_folder: Path, change: dict[str, Any], told: str
) -> None:
    arguments = {"model": bundle_folder, "image": image, **change}
    with pytest.raises(InvalidRequest, match=told):
        geogaze.explain(**arguments)


def test_what_a_module_lacks_is_said(image: np.ndarray) -> None:
    with pytest.raises(UnsupportedArchitecture, match=r"last convolution is layer='features\.0'"):
        geogaze.explain(Own(), image)
    with pytest.raises(InvalidRequest, match="has 3 classes, but class_names 2"):
        geogaze.explain(Own(), image, layer="features.3", class_names=["a", "b"])
    with pytest.raises(InvalidRequest, match="There are 4 bands, but 3 values of mean"):
        geogaze.explain(Own(4), np.zeros((8, 8, 4)), layer="features.3")
    with pytest.raises(InvalidRequest, match=r"gives \(1, 8, 192\) for one image"):
        geogaze.explain(nn.Sequential(Own().features, nn.Flatten(2)), image, layer="0")


def test_a_module_may_label_pixels(image: np.ndarray) -> None:
    """Each channel a class: its values summed over where it is the highest."""
    found = geogaze.explain(Own().features, image, layer="0")
    assert found.evidence.shape[0] == 8
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.ranking[0][1] == max(found.probabilities)


def test_cells_whose_place_cannot_be_told_lie_evenly(image: np.ndarray) -> None:
    class Grid(Own):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(nn.functional.adaptive_avg_pool2d(images, (12, 16)))

    explanation = geogaze.explain(Grid(), image, layer="features.3", classes=["0"])
    assert explanation.placement == "stretched"
    rows, cols = explanation.evidence.shape[1:]
    assert explanation.transform @ (cols, rows) == pytest.approx((64, 48))


class Patches(nn.Module):
    """Tokens of patches of 8 × 8 pixels behind a class token, mixed, then all averaged."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 8, 8, stride=8)
        self.block = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU())
        self.fc = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        tokens = self.block(torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1))
        return self.fc(tokens.mean(dim=1))


def test_tokens_become_maps_where_it_is_said_how(image: np.ndarray, tmp_path: Path) -> None:
    model, square = Patches(), image[:48, :48]
    explanation = geogaze.explain(model, square, layer="block", as_maps=Tokens(1), **SIGMA)
    assert explanation.evidence.shape == (3, 6, 6)
    assert explanation.transform @ (6, 6) == pytest.approx((48, 48))
    assert np.abs(explanation.nowhere).min() > 1e-3
    places = explanation.evidence.mean(axis=(1, 2))
    share = places + explanation.nowhere + model.fc.bias.detach().numpy()
    share = np.exp(share) / np.exp(share).sum()
    assert explanation.probabilities == pytest.approx(share, abs=1e-5), "logits less biases"
    with pytest.raises(UnsupportedArchitecture, match=r"gives \(1, 37, 8\), not maps"):
        geogaze.explain(model, square, layer="block")
    with pytest.raises(InvalidRequest, match="as_maps: for images only"):
        geogaze.explain(model, "s.tif", out=tmp_path, layer="block", as_maps=Tokens(1))


def test_it_becomes_an_xarray_and_files(image: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    explanation = geogaze.explain(Own(), image, layer="features.3", class_names=["a", "b", "c"])
    array = explanation.to_xarray()
    assert array.dims == ("class", "y", "x")
    assert list(array["class"].values) == ["a", "b", "c"]
    assert array.x.values[:2] == pytest.approx([0.5, 4.5])
    assert np.array_equal(array.sel({"class": "b"}), explanation.evidence[1])
    saved = np.load(explanation.save(tmp_path / "e") / "explanation.npz")
    assert np.array_equal(saved["evidence"], explanation.evidence)
    assert repr(explanation) == (
        "<Explanation of 3 classes (a, b, c): 12 × 16 cells, measured, by graph>"
    )


def test_without_xarray_it_says_how_to_get_it(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    explanation = geogaze.explain(Own(), image, layer="features.3")
    with pytest.raises(ModuleNotFoundError, match="pip install xarray"):
        explanation.to_xarray()
