"""``geogaze models import``: what is found is told, what does not hold leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from tests.factories import make_values, write_scene
from tests.unit.cli.conftest import Geogaze
from tests.unit.cli.own_networks import (
    OWN,
    SIZE,
    checkpoint,
    own_networks,  # noqa: F401  a fixture
    words,
)
from tests.unit.evidence import strangers
from tests.unit.networks.test_programs import Residual, export

pytestmark = pytest.mark.usefixtures("own_networks")

S2 = [f"B{number:02d}" for number in range(1, 13)]
S2.insert(8, "B8A")


def thirteen(value: float) -> str:
    return ",".join([str(value)] * 13)


def test_thirteen_bands_and_a_range_come_into_the_bundle(geogaze: Geogaze) -> None:
    bands = ("--bands", ",".join(S2), "--mean", thirteen(0.2), "--std", thirteen(0.1))
    done = geogaze(*words("s2-net", 10, *bands, "--rescale", "0,10000", "--task", "sigmoid"))
    assert done.code == 0, done.err
    line = "13 bands, 10 logits (sigmoid), channel-shift at trunk, cells of 8 px"
    assert f"mine: {line}" in done.out
    bundle = read_bundle(Path("mine"))
    assert bundle.bands == tuple(S2)
    assert bundle.rescale == ((0, 10000),) * 13
    assert (bundle.mean, bundle.std) == ((0.2,) * 13, (0.1,) * 13)
    assert bundle.probabilities == "sigmoid"


def test_json_ends_with_what_was_found_and_checked(geogaze: Geogaze) -> None:
    told = geogaze(*words("soft-net", 3, "--json")).last
    checks = told.pop("checks")
    assert told == {
        "name": "mine",
        "bands": ["red", "green", "blue"],
        "classes": ["class 0", "class 1", "class 2"],
        "task": "softmax",
        "path": "channel-shift",
        "stride": 8,
        "first_center": 0.0,
        "cells": 8,
        "layer": "trunk",
    }
    assert checks
    assert all(value is True for value in checks.values())


def test_a_softmax_that_was_taken_off_stays_off(geogaze: Geogaze) -> None:
    done = geogaze(*words("soft-net", 3))
    assert "head.3, which made probabilities of the logits, was taken off" in done.out
    bundle = read_bundle(Path("mine"))
    assert bundle.stripped == "head.3"
    logits = load_model(bundle)(torch.randn(2, 3, 64, 64))
    assert (logits < 0).any()


def test_running_statistics_are_stored_whole(geogaze: Geogaze) -> None:
    path = checkpoint("own-net", 3)
    state = torch.load(path, weights_only=True)["state_dict"]
    for name in ("trunk.0.weight", "trunk.0.bias"):
        state[name] *= 1000
    state["trunk.1.running_var"] *= 1e6
    state["trunk.1.running_mean"] *= 1000
    torch.save(state, "large.pth")
    done = geogaze(
        *("models", "import", "large.pth", "--arch", "own-net", "--out", "mine", *SIZE),
        *("--classes", "names.txt"),
    )
    assert done.code == 0, done.err
    stored = load_file("mine/model.safetensors")
    assert torch.equal(stored["trunk.1.running_var"], state["trunk.1.running_var"])
    assert stored["trunk.0.weight"].dtype == torch.float16
    images = torch.randn(2, 3, 64, 64)
    network = OWN["own-net"](3).eval()
    network.load_state_dict(state)
    torch.testing.assert_close(
        load_model(read_bundle(Path("mine")))(images), network(images), rtol=0.05, atol=0.05
    )


@pytest.mark.parametrize(
    ("arch", "classes", "more", "says"),
    [
        ("between-net", 3, (), "head(trunk(images)) is another function"),
        ("dropping-net", 3, (), "dropout stays active"),
        ("failing-net", 3, (), "fails with KeyError"),
        ("s2-net", 3, (), "first layer takes 13 band(s), not 3"),
        ("own-net", 3, ("--task", "none", "--layer", "trnk.3"), "trunk.3"),
        ("own-net", 1, ("--task", "softmax"), "--task sigmoid"),
        (
            "own-net",
            3,
            ("--bands", "a,b", "--mean", "0.5"),
            "--mean and --std take one number for each of 2",
        ),
        ("own-net", 3, ("--bands", "a,b,a"), "each once"),
        ("own-net", 3, ("--mean", "0.5,0.5"), "not 2 and none"),
        ("own-net", 3, ("--std", "0.5,0,0.5"), "above 0"),
        ("own-net", 3, ("--rescale", "5,5"), "--rescale takes LO,HI"),
        ("own-net", 3, ("--rescale", "0,5", "--rescale", "0,6"), "--rescale takes LO,HI"),
    ],
)
def test_a_refusal_is_one_sentence_and_writes_nothing(
    geogaze: Geogaze, arch: str, classes: int, more: tuple[str, ...], says: str
) -> None:
    done = geogaze(*words(arch, classes, *more))
    assert done.code == 2, done
    assert says in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert {path.name for path in Path().iterdir()} == {"names.txt", "weights.pth"}


def test_a_sixteen_bit_chip_and_a_scene_are_scaled_as_the_bundle_says(
    geogaze: Geogaze, tmp_path: Path
) -> None:
    bands = ("--bands", ",".join(S2), "--mean", thirteen(0.5), "--std", thirteen(0.2))
    assert geogaze(*words("s2-net", 3, *bands, "--rescale", "0,20000")).code == 0
    values = make_values(64, 64, bands=13, dtype="uint16")
    chip = write_scene(tmp_path / "chip.tif", values, crs=None)
    seen = geogaze("image", chip, "--model", "mine", "--json", "--overwrite").last
    network = load_model(read_bundle(Path("mine")))
    share = torch.from_numpy(np.clip(values / 20000, 0, 1).astype(np.float32))
    wanted = network((share[None] - 0.5) / 0.2).softmax(1)[0]
    assert seen["top_probability"] == pytest.approx(float(wanted.max()), abs=1e-3)
    other = geogaze(
        *("image", chip, "--model", "mine", "--json", "--overwrite", "--rescale", "0,65535")
    ).last
    assert other["ranking"] != seen["ranking"]
    scene = write_scene(tmp_path / "scene.tif", make_values(96, 96, bands=13, dtype="uint16"))
    run = ("run", scene, "--model", "mine", "--overwrite", "--json")
    report = geogaze(*run, "--out", "heat").last
    assert report["rescale"] == [[0, 20000]] * 13
    assert geogaze(*run, "--out", "heat", "--rescale", "0,9000").last["rescale"] == [[0, 9000]] * 13
    told = geogaze("run", scene, "--model", "mine", "--out", "heat", "--dry-run", "--overwrite")
    assert "from 0 to 20000 (the model's)" in " ".join(told.out.split())


def test_one_logit_is_yes_or_no(geogaze: Geogaze, tmp_path: Path) -> None:
    told = geogaze(*words("gray-net", 1, "--mean", "0.5", "--std", "0.2", "--json")).last
    assert (told["task"], told["bands"], told["classes"]) == ("sigmoid", ["band-1"], ["class 0"])
    Image.fromarray(make_values(64, 64, bands=1)[0]).save(tmp_path / "chip.png")
    seen = geogaze("image", tmp_path / "chip.png", "--model", "mine", "--json").last
    assert 0 < seen["probability"] < 1
    against = geogaze(
        "image", tmp_path / "chip.png", "--model", "mine", "--json", "--class", "not class 0"
    ).last
    assert against["probability"] == pytest.approx(1 - seen["probability"], abs=1e-5)


def columns_of(path: str) -> str:
    if path.endswith(".csv"):
        return Path(path).read_text().partition("\n")[0]
    return " ".join(pyogrio.read_info(path, layer=0)["fields"])


def test_a_network_that_labels_pixels_tells_shares_of_them(
    geogaze: Geogaze, tmp_path: Path
) -> None:
    told = geogaze(*words("labels-net", 3, "--layer", "encoder", "--json")).last
    assert (told["labels"], told["task"], told["path"]) == ("pixels", "softmax", "graph")
    item = json.loads(Path("mine/item.json").read_text())["properties"]
    assert item["mlm:tasks"] == ["semantic-segmentation"]
    values = make_values(64, 64)
    scene = write_scene(tmp_path / "scene.tif", values)
    run = ("run", scene, "--model", "mine", "--out", "heat", "--overlap", "0")
    done = geogaze(*run, "--rescale", "0,255")
    assert done.code == 0, done.err
    assert "largest share of pixels" in done.out
    tiles = geopandas.read_parquet("heat/tiles.parquet")
    first = tiles[(tiles["row"] == 0) & (tiles["col"] == 0)].iloc[0]
    bundle = read_bundle(Path("mine"))
    mean, std = (torch.tensor(part)[:, None, None] for part in (bundle.mean, bundle.std))
    with torch.no_grad():
        labels = load_model(bundle)(((torch.from_numpy(values) / 255 - mean) / std)[None].float())
    shares = labels[0].argmax(0).flatten().bincount(minlength=3) / 64**2
    found = [first[f"share_class {k}"] for k in range(3)]
    np.testing.assert_allclose(found, shares.numpy(), atol=2e-3)
    assert first["top_class"] == f"class {int(shares.argmax())}"
    assert first["top_share"] == max(found)
    assets = json.loads(Path("heat/item.json").read_text())["assets"]
    about = assets["heat-class 0" if "heat-class 0" in assets else "heat-class-0"]
    assert about["geogaze:in_tiles"] == int((tiles["share_class 0"] > 0).sum())
    assert about["geogaze:highest_share"] == pytest.approx(float(tiles["share_class 0"].max()))
    seen = geogaze("image", scene, "--model", "mine", "--json", "--rescale", "0,255").last
    assert seen["share"] == seen["top_share"] == pytest.approx(max(found), abs=1e-6)
    assert geogaze("hotspots", "heat", "--out", "again.gpkg").code == 0
    names = ["again.gpkg", "heat/hotspots.gpkg", "heat/tiles.gpkg", "heat/summary.csv"]
    for text in (Path("heat/report.html").read_text(), done.out, *map(columns_of, names)):
        assert "share" in text
        assert "probab" not in text


def test_a_program_needs_no_architecture(geogaze: Geogaze, tmp_path: Path) -> None:
    network = export(strangers.drawn(Residual()), tmp_path / "exported.pt2")
    Path("names.txt").write_text("a\nb\nc")
    words = ("models", "import", network, "--classes", "names.txt", "--out", "mine")
    told = geogaze(*words, "--json").last
    assert (told["path"], told["layer"], told["stride"]) == ("channel-shift", "down", 8)
    network.unlink()
    write_scene(tmp_path / "scene.tif", make_values(64, 64))
    asked = ("image", tmp_path / "scene.tif", "--model", "mine", "--json", "--rescale", "0,255")
    assert geogaze(*asked).last["top_class"] in {"a", "b", "c"}


def test_what_is_no_program_needs_one(geogaze: Geogaze, tmp_path: Path) -> None:
    Path("names.txt").write_text("a\nb\nc")
    bare = ("models", "import", checkpoint("gray-net", 3), "--classes", "names.txt")
    assert "Say --arch" in geogaze(*bare).err
    network = export(strangers.drawn(Residual()), tmp_path / "exported.pt2")
    words = ("models", "import", network, "--classes", "names.txt", "--out", "mine")
    for more, message in (
        (("--input-size", 96), "takes images of 64 pixels"),
        (("--bands", "a,b", "--mean", "0,0", "--std", "1,1"), "takes images of 3 band(s), not 2"),
    ):
        refused = geogaze(*words, *more)
        assert refused.code == 2
        assert message in " ".join(refused.err.split())
    assert not Path("mine").exists()


def test_texts_are_classes(geogaze: Geogaze, tmp_path: Path) -> None:
    vectors = torch.randn(2, 10, generator=torch.Generator().manual_seed(2))
    save_file({"a ship": vectors[0], "a road": vectors[1]}, tmp_path / "t.safetensors")
    bands = ("--bands", ",".join(S2), "--mean", thirteen(0.2), "--std", thirteen(0.1))
    texts = ("--text-embeddings", tmp_path / "t.safetensors", "--logit-scale", 10, "--json")
    refused = geogaze(*words("s2-net", 10, *bands, *texts))
    assert "names of its own: leave out --classes" in " ".join(refused.err.split())
    alone = ("models", "import", "weights.pth", "--arch", "s2-net", "--out", "mine", *SIZE)
    refused = geogaze(*alone, *bands, "--logit-scale", 10)
    assert "no --text-embeddings" in refused.err
    told = geogaze(*alone, *bands, *texts).last
    assert sorted(told["classes"]) == ["a road", "a ship"]
    assert told["path"] == "channel-shift"
    scores = load_model(read_bundle(Path("mine")))(torch.randn(4, 13, 64, 64))
    assert scores.shape == (4, 2)
    assert scores.abs().max() <= 10
    np.save(tmp_path / "t.npy", vectors.numpy())
    refused = geogaze(*words("s2-net", 10, *bands, "--text-embeddings", tmp_path / "t.npy"))
    assert "has 2 texts, but --classes 10 names" in " ".join(refused.err.split())
