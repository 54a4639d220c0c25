"""Weights: only those described, widened to float32, from a bundle or torchvision's folder."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from geogaze.errors import InvalidBundle, UnsupportedArchitecture, WeightsUnavailable
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.files import file_sha256
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.registry import find_bundle
from geogaze.networks.architectures import build
from geogaze.networks.loading import assign_state, load_model


@pytest.fixture
def copied(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "tiny"))


def replace_weights(folder: Path, state: dict[str, Tensor]) -> Bundle:
    """New weights, and an item.json that vouches for them."""
    save_file(state, folder / "model.safetensors")
    item = json.loads((folder / "item.json").read_text())
    item["properties"]["geogaze:sha256"] = file_sha256(folder / "model.safetensors")
    (folder / "item.json").write_text(json.dumps(item))
    return read_bundle(folder)


def test_half_precision_on_disk_becomes_single_precision(bundle_folder: Path) -> None:
    stored = load_file(bundle_folder / "model.safetensors")
    loaded = load_model(read_bundle(bundle_folder)).state_dict()
    assert set(loaded) == set(stored)
    floating = [name for name, value in stored.items() if value.is_floating_point()]
    assert {stored[name].dtype for name in floating} == {torch.float16, torch.float32}
    for name in floating:
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], stored[name].float())


def test_a_loaded_network_is_frozen_and_evaluates(bundle_folder: Path) -> None:
    model = load_model(read_bundle(bundle_folder))
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_tampered_weights_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidBundle, match=r"model\.safetensors has sha256:.*says sha256:"):
        load_model(read_bundle(copied))


def test_missing_weights_are_named(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(InvalidBundle, match=r"model\.safetensors is missing"):
        load_model(read_bundle(copied))


def test_weights_of_other_shapes_or_names_are_refused(copied: Path) -> None:
    state = load_file(copied / "model.safetensors")
    for wrong in (
        state | {"fc.weight": torch.zeros(4, 1024)},
        {name: value for name, value in state.items() if name != "fc.bias"},
        state | {"extra": torch.zeros(1)},
    ):
        with pytest.raises(InvalidBundle, match="do not fit"):
            load_model(replace_weights(copied, wrong))


def test_auxiliary_classifiers_of_checkpoints_are_left_out() -> None:
    torch.manual_seed(0)
    model = build("googlenet", 5)
    drawn = build("googlenet", 5, initialise=True).state_dict()
    assign_state(model, drawn | {"aux1.fc1.weight": torch.zeros(2, 2)}, source="test")
    assert torch.equal(model.fc.weight, drawn["fc.weight"])


def test_a_bundle_that_names_a_layer_of_another_grid_is_refused(bundle_folder: Path) -> None:
    bundle = read_bundle(bundle_folder).model_copy(update={"module": "stage2"})
    engine = Engine(bundle, EngineOptions("cpu"))
    window = engine.prepare(
        np.zeros((3, 64, 64), dtype=np.uint8), np.ones((64, 64), dtype=bool), ((0.0, 255.0),)
    )
    with pytest.raises(InvalidBundle, match=r"'stage2'.* 8 × 8 .* 2"):
        list(engine.explain_tiles(window, [(0, 0)], None))


def test_a_bundle_that_names_no_layer_of_its_network_is_refused(bundle_folder: Path) -> None:
    bundle = read_bundle(bundle_folder).model_copy(update={"module": "stage9"})
    with pytest.raises(UnsupportedArchitecture, match=r"'stage9'.*stage4"):
        Engine(bundle, EngineOptions("cpu"))


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torchvision's folder, empty, and no way out to fill it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_missing_published_weights_are_named_with_their_folder(checkpoints: Path) -> None:
    started = time.monotonic()
    with pytest.raises(WeightsUnavailable) as caught:
        load_model(find_bundle("vgg16"))
    assert time.monotonic() - started < 20
    assert "vgg16-397923af.pth" in str(caught.value)
    assert str(checkpoints) in str(caught.value)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "googlenet"])
def test_published_weights_in_the_folder_make_torchvisions_network(
    checkpoints: Path, name: str
) -> None:
    torch.manual_seed(0)
    weights = get_model_weights(name).DEFAULT
    images = torch.rand(2, 3, 64, 64)
    drawn = build(name, 1000, initialise=True)
    for norm in (m for m in drawn.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.train().momentum = 1.0
    with torch.no_grad():
        drawn(images)  # batch statistics, so that images show in the logits
    state = drawn.state_dict()
    if name == "googlenet":  # torchvision's loader insists on the auxiliary classifiers
        from torchvision.models import googlenet

        state = googlenet(init_weights=False).state_dict() | state
    torch.save(state, checkpoints / Path(weights.url).name)
    ours = load_model(find_bundle(name))
    from torchvision.models import get_model

    theirs = get_model(name, weights=weights).eval()
    with torch.no_grad():
        expected = theirs(images)
        assert expected.std(dim=0).max() > 1e-3
        torch.testing.assert_close(ours(images), expected, rtol=1e-4, atol=1e-5)


def test_published_weights_are_checked_when_they_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, object]] = []

    def fetch(self: object, **options: object) -> dict[str, torch.Tensor]:
        asked.append(options)
        raise OSError("no network")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fetch)
    with pytest.raises(WeightsUnavailable):
        load_model(find_bundle("shufflenet_v2_x0_5"))
    assert asked[0]["check_hash"] is True
    assert asked[0]["weights_only"] is True


def test_published_weights_that_hold_code_do_not_run(checkpoints: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"fc.weight": Malicious(marker)}, checkpoints / "shufflenetv2_x0.5-f707e7126e.pth")
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        load_model(find_bundle("shufflenet_v2_x0_5"))
    assert not marker.exists()


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (str(self.marker),)


def test_weights_that_do_not_fit_are_told_by_a_few_names() -> None:
    from torch import nn

    from geogaze.networks.loading import assign_state

    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(30)))
    state = {**model.state_dict(), "0.weight": torch.zeros(2, 3), "strange": torch.zeros(1)}
    state = {name: value for name, value in state.items() if not name.endswith("bias")}
    with pytest.raises(InvalidBundle) as caught:
        assign_state(model, state, source="mine.pth")
    told = str(caught.value)
    assert told.count(".bias") == 5
    assert "and 25 more are missing" in told
    assert "strange are unknown" in told
    assert "0.weight (2, 3) for (2, 2)" in told
    assert "--arch" in told


def test_a_pickle_is_refused_without_torchs_advice_to_execute_it(tmp_path: Path) -> None:
    from geogaze.errors import InvalidRequest
    from geogaze.networks.checkpoints import read_checkpoint

    torch.save({"model": Path("anything")}, tmp_path / "mine.pth")
    with pytest.raises(InvalidRequest, match="state_dict") as caught:
        read_checkpoint(tmp_path / "mine.pth")
    assert "weights_only" not in str(caught.value)
