"""``geogaze models`` and ``geogaze image``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from geogaze.networks.architectures import build
from tests.factories import make_values
from tests.unit.cli.conftest import Geogaze

ARCH = "squeezenet1_1"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of three classes."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.manual_seed(1)
    torch.save(build(ARCH, 3, initialise=True).state_dict(), path)
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("boat\nfield\n\n road \n")
    return path


def test_models_are_listed(geogaze: Geogaze) -> None:
    done = geogaze("models")
    assert done.code == 0
    for name in ("aerial-scenes", "tiny", "vgg16", "resnet50"):
        assert name in done.out
    listed = {model["name"]: model for model in geogaze("models", "--json").last}
    assert {"aerial-scenes", "tiny", "vgg16"} <= set(listed)
    assert geogaze("models", "list", "--json").last == geogaze("models", "--json").last
    assert listed["tiny"]["classes"] == ["boat", "field", "road"]


def test_a_model_is_shown(geogaze: Geogaze, bundle_folder: Path) -> None:
    shown = geogaze("models", "show", "tiny", "--json").last
    assert (shown["name"], shown["architecture"], shown["stride"]) == (
        "tiny",
        "shufflenet_v2_x0_5",
        32,
    )
    assert geogaze("models", "show", bundle_folder, "--json").last == shown
    done = geogaze("models", "show", "tiny")
    assert "boat, field, road" in done.out
    assert len(geogaze("models", "show", "vgg16", "--json").last["classes"]) == 1000


def test_a_models_files_are_those_that_it_names(
    geogaze: Geogaze, bundle_folder: Path, tmp_path: Path
) -> None:
    weights = (bundle_folder / "model.safetensors").read_bytes()
    shown = geogaze("models", "show", "tiny", "--json").last
    assert shown["bytes"] == len(weights)
    assert shown["sha256"] == hashlib.sha256(weights).hexdigest()
    published = geogaze("models", "show", "vgg16", "--json").last
    assert {"bytes", "sha256"}.isdisjoint(published)
    verified = geogaze("models", "verify", "--json").last
    assert {"tiny", "aerial-scenes"} <= set(verified)
    assert verified["tiny"][0] == {
        "file": "model.safetensors",
        "bytes": shown["bytes"],
        "sha256": shown["sha256"],
    }
    assert shown["sha256"] in geogaze("models", "verify", "tiny").out
    broken = Path(shutil.copytree(bundle_folder, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(weights[:-1] + b"?")
    done = geogaze("models", "verify", broken)
    assert (done.code, "changed or damaged" in done.err) == (2, True)
    (broken / "model.safetensors").unlink()
    assert "is missing" in geogaze("models", "verify", broken).err
    assert "torchvision" in geogaze("models", "verify", "vgg16").err


def test_an_unknown_model_is_refused(geogaze: Geogaze) -> None:
    done = geogaze("models", "show", "tyni")
    assert done.code == 2
    assert "tyni" in done.err


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_import_makes_a_bundle_of_a_checkpoint(
    geogaze: Geogaze, state: Path, names: Path, suffix: str
) -> None:
    checkpoint = state
    if suffix == ".safetensors":
        checkpoint = Path("weights.safetensors")
        save_file(torch.load(state, weights_only=True), checkpoint)
    done = geogaze(
        *("models", "import", checkpoint, "--out", "mine", "--arch", ARCH),
        *("--classes", names, "--input-size", 64, "--gsd", 0.3),
    )
    assert done.code == 0, done.err
    assert "3 classes" in done.out
    shown = geogaze("models", "show", "mine", "--json").last
    assert shown["classes"] == ["boat", "field", "road"]
    assert (shown["input_size"], shown["gsd"], shown["architecture"]) == (64, 0.3, ARCH)
    assert {path.name for path in Path("mine").iterdir()} >= {"item.json", "model.safetensors"}


def test_import_never_takes_the_place_of_results(
    geogaze: Geogaze, state: Path, names: Path
) -> None:
    Path("heat").mkdir()
    item = {
        "properties": {"geogaze:model": "tiny"},
        "assets": {"heat-boat": {"href": "./heat-boat.tif"}},
    }
    Path("heat/item.json").write_text(json.dumps(item))
    Path("heat/heat-boat.tif").write_text("hours of work")
    words = ("models", "import", state, "--arch", ARCH, "--classes", names, "--input-size", 64)
    for overwrite in ((), ("--overwrite",)):
        done = geogaze(*words, "--out", "heat", *overwrite)
        assert done.code == 2, done
        assert "results" in done.err
        assert Path("heat/heat-boat.tif").read_text() == "hours of work"
    assert geogaze(*words, "--out", "mine").code == 0
    again = geogaze(*words, "--out", "mine", "--gsd", 0.7)
    assert again.code == 2
    assert "--overwrite" in again.err
    assert geogaze(*words, "--out", "mine", "--gsd", 0.7, "--overwrite").code == 0
    assert geogaze("models", "show", "mine", "--json").last["gsd"] == 0.7
    # Nor do results a bundle's.
    run = geogaze("run", "none.tif", "--out", "mine", "--overwrite")
    assert run.code == 2
    assert "bundle" in run.err


class Evil:
    """A pickle that would leave a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


BAD = [
    ("missing", ["none.pth", "--arch", ARCH], "none.pth"),
    ("not a checkpoint", ["text.pth", "--arch", ARCH], "text.pth"),
    ("evil", ["evil.pth", "--arch", ARCH], "evil.pth"),
    ("other architecture", ["{state}", "--arch", "squeezenet1_0"], "weights.pth"),
    ("unknown architecture", ["{state}", "--arch", "vgg17"], "vgg17"),
    ("other classes", ["{state}", "--arch", ARCH, "--classes", "two.txt"], "weights.pth"),
    ("no classes", ["{state}", "--arch", ARCH, "--classes", "none.txt"], "none.txt"),
    ("empty classes", ["{state}", "--arch", ARCH, "--classes", "empty.txt"], "class"),
    ("twice a class", ["{state}", "--arch", ARCH, "--classes", "twice.txt"], "class"),
    ("mean of two", ["{state}", "--arch", ARCH, "--mean", "0.5,0.5"], "--mean"),
]


@pytest.mark.parametrize(
    ("words", "says"), [row[1:] for row in BAD], ids=[str(row[0]).replace(" ", "-") for row in BAD]
)
def test_import_refuses_what_does_not_fit(
    geogaze: Geogaze, state: Path, names: Path, words: list[object], says: str
) -> None:
    Path("text.pth").write_text("no weights")
    Path("two.txt").write_text("boat\nfield\n")
    Path("twice.txt").write_text("boat\nfield\nboat\n")
    Path("empty.txt").write_text("\n")
    torch.save({"model": Evil()}, "evil.pth")
    named = [state if word == "{state}" else word for word in words]
    classes = [] if "--classes" in named else ["--classes", names]
    done = geogaze("models", "import", *named, *classes, "--out", "mine", "--input-size", 64)
    assert done.code == 2, done
    assert says in done.err
    assert "Traceback" not in done.err
    assert not Path("pwned").exists()
    assert not Path("mine").exists()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "chip.png"
    Image.fromarray(make_values(80, 100).transpose(1, 2, 0)).save(path)
    return path


def test_image_explains_its_best_class(geogaze: Geogaze, photo: Path) -> None:
    done = geogaze("image", photo, "--model", "tiny", "--json")
    assert done.code == 0, done.err
    report = done.last
    assert report["class"] == report["top_class"] == report["ranking"][0][0]
    assert sum(share for _, share in report["ranking"]) == pytest.approx(1, abs=1e-4)
    assert report["top_probability"] == max(share for _, share in report["ranking"])
    with Image.open(report["overlay"]) as overlay:
        assert overlay.size == (100, 80)
    assert [path.name for path in Path().iterdir()] == [f"chip-{report['class']}.png"]


def test_import_says_how_scores_become_probabilities(
    geogaze: Geogaze, state: Path, names: Path, photo: Path
) -> None:
    for rule in ("sigmoid", "none"):
        done = geogaze(
            *("models", "import", state, "--out", rule, "--arch", ARCH, "--classes", names),
            *("--input-size", 64, "--probabilities", rule),
        )
        assert done.code == 0, done.err
        assert geogaze("models", "show", rule, "--json").last["probabilities"] == rule
    each = geogaze("image", photo, "--model", "sigmoid", "--json").last
    assert sum(share for _, share in each["ranking"]) != pytest.approx(1, abs=0.01)
    none = geogaze("image", photo, "--model", "none", "--json", "--overwrite").last
    assert none["probability"] is none["top_probability"] is None
    assert [name for name, _ in none["ranking"]] == [name for name, _ in each["ranking"]]
    assert geogaze("image", photo, "--model", "none", "--overwrite").code == 0


def test_image_explains_the_class_it_is_told(geogaze: Geogaze, photo: Path) -> None:
    done = geogaze("image", photo, "--model", "tiny", "--class", "road", "--out", "new/road.png")
    assert done.code == 0, done.err
    assert "road" in done.out
    with Image.open("new/road.png") as overlay:
        assert (overlay.format, overlay.size) == ("PNG", (100, 80))
    again = geogaze("image", photo, "--model", "tiny", "--class", "boat", "--out", "new/road.png")
    assert again.code == 2
    assert "--overwrite" in again.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.png"], "none.png"),
        (["text.png"], "text.png"),
        ([".", "--class", "boat"], "image"),
        (["{photo}", "--class", "boot"], "boat"),
        (["{photo}", "--model", "tyni"], "tyni"),
    ],
)
def test_image_refuses_bad_input(
    geogaze: Geogaze, photo: Path, words: list[str], says: str
) -> None:
    Path("text.png").write_text("no pixels")
    named = [str(photo) if word == "{photo}" else word for word in words]
    done = geogaze("image", "--model", "tiny", "--out", "new/a.png", *named)
    assert done.code == 2, done
    assert says in done.err
    assert [path.name for path in Path().iterdir()] == ["text.png"]
