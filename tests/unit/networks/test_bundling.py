"""Writing bundles: what they hold, and what is never replaced by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.networks.architectures import build
from geogaze.networks.bundling import write_bundle
from geogaze.networks.layouts import AsMaps, channels_last
from geogaze.networks.loading import load_model

OPTIONS: dict[str, Any] = {
    "architecture": "squeezenet1_1",
    "classes": ("boat", "field"),
    "input_size": 64,
}
MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build("squeezenet1_1", 2, initialise=True)


@pytest.fixture(scope="module")
def normed() -> nn.Module:
    """Has batch normalisation, and a head that a graph explains; slower to write."""
    torch.manual_seed(0)
    return build("shufflenet_v2_x0_5", 2, initialise=True)


@pytest.fixture(scope="module")
def written(normed: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = OPTIONS | {"architecture": "shufflenet_v2_x0_5", "mean": MEAN, "std": STD}
    evaluation = {"accuracy": 0.75, "confusion": [[1, 1], [0, 2]]}
    folder = tmp_path_factory.mktemp("written") / "deep" / "mine"
    return write_bundle(normed, folder, evaluation=evaluation, gsd=0.3, **options)


def test_what_is_written_reads_back_equal(normed: nn.Module, written: Bundle) -> None:
    assert written.folder is not None
    assert read_bundle(written.folder) == written
    assert (written.stride, written.first_center, written.cells) == (32, 0.0, 2)
    assert (written.name, written.module, written.gsd) == ("mine", "conv5", 0.3)
    assert (written.mean, written.std) == (MEAN, STD)
    loaded = load_model(written)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), normed(images), rtol=0.02, atol=0.02)
    names = {path.name for path in written.folder.iterdir()}
    assert names == {"item.json", "model.safetensors", "model.onnx", "evaluation.json"}


def test_a_layer_inside_the_network_has_no_halo_to_read(model: nn.Module, tmp_path: Path) -> None:
    """Only a trunk that is cut off can run once over many tiles."""
    assert write_bundle(model, tmp_path / "whole", **OPTIONS).halo
    assert write_bundle(model, tmp_path / "inside", layer="features.7", **OPTIONS).halo is None
    assert read_bundle(tmp_path / "inside").halo is None


class ChannelsLast(nn.Module):
    """Its trunk gives (B, h, w, C), and it says so."""

    as_maps: AsMaps = staticmethod(channels_last)

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4, padding=2), Turned())
        self.head = nn.Sequential(nn.Flatten(1), nn.Linear(4 * 16 * 16, 2))


class Turned(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1)


def test_a_trunk_that_gives_no_maps_is_measured_by_those_made_of_it(tmp_path: Path) -> None:
    """Its tiles cannot share activations: slices are taken of maps."""
    written = write_bundle(ChannelsLast(), tmp_path / "mine", **OPTIONS)
    assert (written.stride, written.first_center, written.cells) == (4, 0.0, 16)
    assert written.halo is None


def test_weights_are_halved_and_buffers_stay_whole(written: Bundle) -> None:
    assert written.folder is not None
    stored = load_file(written.folder / "model.safetensors")
    kinds = {name.rpartition(".")[2]: value.dtype for name, value in stored.items()}
    assert kinds == {
        **dict.fromkeys(("weight", "bias"), torch.float16),
        **dict.fromkeys(("running_mean", "running_var"), torch.float32),
        "num_batches_tracked": torch.int64,
    }


def test_others_may_read_a_bundle(written: Bundle) -> None:
    """Who imports it is seldom who runs the workers."""
    assert written.folder is not None
    modes = {path.name: path.stat().st_mode & 0o777 for path in written.folder.iterdir()}
    names = ("item.json", "model.safetensors", "model.onnx", "evaluation.json")
    assert modes == dict.fromkeys(names, 0o644)


def test_nothing_else_is_left_beside_the_bundle(model: nn.Module, tmp_path: Path) -> None:
    write_bundle(model, tmp_path / "mine", **OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_bundle_is_replaced(model: nn.Module, tmp_path: Path) -> None:
    evaluation = {"accuracy": 0.75}
    write_bundle(model, tmp_path / "mine", evaluation=evaluation, **OPTIONS)
    other = OPTIONS | {"classes": ("a", "b")}
    with pytest.raises(InvalidRequest, match="--overwrite"):
        write_bundle(model, tmp_path / "mine", **other)
    assert read_bundle(tmp_path / "mine").classes == OPTIONS["classes"]
    write_bundle(model, tmp_path / "mine", overwrite=True, **other)
    assert read_bundle(tmp_path / "mine").classes == ("a", "b")
    assert not (tmp_path / "mine" / "evaluation.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_bundle_is_refused_and_stays(
    model: nn.Module, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "photos"
    if kind == "file":
        out.write_text("precious")
    else:
        out.mkdir()
        (out / "holiday.jpg").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    for overwrite in (False, True):
        with pytest.raises(InvalidRequest, match="photos"):
            write_bundle(model, out, overwrite=overwrite, **OPTIONS)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_write_leaves_the_old_bundle(model: nn.Module, tmp_path: Path) -> None:
    write_bundle(model, tmp_path / "mine", **OPTIONS)
    with pytest.raises(UnsupportedArchitecture):
        write_bundle(nn.Linear(2, 2), tmp_path / "mine", overwrite=True, **OPTIONS)
    odd = OPTIONS | {"classes": ("all", "boat")}
    with pytest.raises(InvalidRequest, match="reserved"):
        write_bundle(model, tmp_path / "mine", overwrite=True, **odd)
    assert read_bundle(tmp_path / "mine").classes == OPTIONS["classes"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
