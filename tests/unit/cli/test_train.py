"""``geogaze train`` on GeoTIFF chips: what it is told goes into the bundle and to the chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from geogaze.networks.training import making
from tests.factories import write_scene
from tests.unit.cli.conftest import Geogaze
from tests.unit.cli.own_networks import own_networks  # noqa: F401  a fixture

TINY = ("--arch", "squeezenet1_1", "--init", "random", "--input-size", 64, "--batch", 4)
SHORT = ("--epochs", 1, "--warm-up", 0)
THIRTEEN = (
    *("--bands", ",".join(f"B{i:02d}" for i in range(1, 14))),
    *("--mean", ",".join(["0.2"] * 13), "--std", ",".join(["0.1"] * 13)),
)


def draw(folder: Path) -> Path:
    """Chips of 13 bands and 16 bits in two class folders."""
    rng = np.random.default_rng(0)
    for name, level in {"bright": 4000, "dark": 1000}.items():
        (folder / name).mkdir(parents=True)
        for i in range(7):
            values = rng.normal(level, 100, (13, 64, 64)).clip(0).astype(np.uint16)
            write_scene(folder / name / f"{i}.tif", values, crs=None)
    return folder


def test_bands_ranges_and_task_are_honoured(geogaze: Geogaze, tmp_path: Path) -> None:
    data = draw(tmp_path / "chips")
    words = ("train", data, "--out", "mine", *TINY, *SHORT, *THIRTEEN)
    refused = geogaze(*words)
    assert refused.code == 2
    assert "uint16: say which values become 0 and 1" in refused.err
    done = geogaze(*words, "--rescale", "0,10000", "--task", "sigmoid", "--json")
    assert done.code == 0, done.err
    bundle = read_bundle(Path("mine"))
    assert (len(bundle.bands), bundle.probabilities) == (13, "sigmoid")
    assert bundle.rescale == ((0, 10000),) * 13
    shown = geogaze("models", "show", "mine", "--json").last
    assert shown["metrics"] == done.last["metrics"]
    assert shown["metrics"]["test_accuracy"] == done.last["accuracy"]
    assert set(shown["metrics"]["recall"]) == {"bright", "dark"}
    assert "Too few images were held out" in done.last["warnings"][0]
    agreement = shown["agreement"]
    assert {name: figures["tiles"] for name, figures in agreement.items()} == {"fp16": 2, "bf16": 2}
    assert 0 < agreement["fp16"]["heat_off"] < agreement["bf16"]["heat_off"]
    assert "bf16 against fp32" in geogaze("models", "show", "mine").out
    scene = write_scene(
        tmp_path / "scene.tif", np.full((13, 80, 90), 3000, np.uint16), photometric="minisblack"
    )
    report = geogaze("run", scene, "--model", "mine", "--out", "heat", "--json")
    assert report.code == 0, report.err
    assert report.last["rescale"] == [[0, 10000]] * 13


OWN = ("--init", "random", "--input-size", 64, "--batch", 4, "--rescale", "0,10000")
FIRST_THREE = ("--bands", "B01,B02,B03", "--mean", "0.2,0.2,0.2", "--std", "0.1,0.1,0.1")


def colours(folder: Path) -> Path:
    """Chips of three bands in two class folders."""
    rng = np.random.default_rng(0)
    for name, level in {"bright": 4000, "dark": 1000}.items():
        (folder / name).mkdir(parents=True)
        for i in range(7):
            values = rng.normal(level, 100, (3, 64, 64)).clip(0).astype(np.uint16)
            write_scene(folder / name / f"{i}.tif", values, crs=None)
    return folder


@pytest.mark.usefixtures("own_networks")
def test_what_cannot_be_explained_is_told_before_it_is_trained(
    geogaze: Geogaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "fit", lambda *_: pytest.fail("it was trained"))
    data = colours(tmp_path / "chips")
    words = ("train", data, "--out", "mine", *SHORT, *OWN, *FIRST_THREE)
    refused = geogaze(*words, "--arch", "between-net")
    assert refused.code == 2
    assert "head(trunk(images)) is another function" in refused.err
    assert not Path("mine").exists()


@pytest.mark.usefixtures("own_networks")
def test_weights_that_went_astray_make_no_bundle(
    geogaze: Geogaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def astray(model: torch.nn.Module, *_: object) -> list[object]:
        for parameter in model.parameters():
            parameter.data.fill_(torch.nan)
        return []

    monkeypatch.setattr(making, "fit", astray)
    data = colours(tmp_path / "chips")
    words = ("train", data, "--out", "mine", *SHORT, *OWN, *FIRST_THREE)
    refused = geogaze(*words, "--arch", "own-net")
    assert refused.code == 2
    assert "values that are no numbers" in refused.err
    assert not Path("mine").exists()


@pytest.mark.usefixtures("own_networks")
def test_a_softmax_is_taken_off_before_training(geogaze: Geogaze, tmp_path: Path) -> None:
    data = colours(tmp_path / "chips")
    done = geogaze(
        *("train", data, "--out", "mine", *SHORT, *OWN, *FIRST_THREE), "--arch", "soft-net"
    )
    assert done.code == 0, done.err
    bundle = read_bundle(Path("mine"))
    assert bundle.stripped == "head.3"
    scores = load_model(bundle)(torch.randn(2, 3, 64, 64))
    assert not torch.allclose(scores.sum(dim=1), torch.ones(2), atol=1e-3)


def test_chips_that_are_not_there_are_missed_by_name(geogaze: Geogaze) -> None:
    done = geogaze("train", "chips", "--out", "mine")
    assert done.code == 2
    assert "There is no chips" in done.err
