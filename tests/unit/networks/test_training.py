"""Retraining on drawn images: what comes out, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geogaze.config import Settings
from geogaze.errors import InvalidRequest, UnknownModel
from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe, train
from geogaze.scene.chips import Wanted, chip_values

RECIPE = Recipe(
    architecture="squeezenet1_1",
    init="random",
    epochs=2,
    warm_up_epochs=1,
    batch_size=4,
    input_size=64,
    gsd=0.5,
    workers=0,
)


def draw(folder: Path, levels: dict[str, int], count: int = 8) -> Path:
    """Class folders of noisy grey images."""
    rng = np.random.default_rng(0)
    for name, level in levels.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            values = np.clip(level + rng.normal(0, 10, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(values).save(folder / name / f"{i}.png")
    return folder


read = partial(
    chip_values, wanted=Wanted(RECIPE.bands, scaled=True), mean=RECIPE.mean, settings=Settings()
)


def quiet(phase: str, done: int, of: int, loss: float) -> None:
    pass


def test_training_writes_a_bundle_with_its_evaluation(tmp_path: Path) -> None:
    draw(tmp_path / "data" / "train", {"bright": 220, "dark": 30})
    draw(tmp_path / "data" / "test", {"bright": 220, "dark": 30}, count=3)
    told: list[tuple[str, int, int]] = []
    bundle, accuracy = train(
        tmp_path / "data",
        tmp_path / "mine",
        RECIPE,
        lambda phase, done, of, loss: told.append((phase, done, of)),
        read=read,
    )
    assert read_bundle(tmp_path / "mine") == bundle
    assert (bundle.classes, bundle.gsd) == (("bright", "dark"), 0.5)
    evaluation = json.loads((tmp_path / "mine" / "evaluation.json").read_text())
    confusion = np.array(evaluation["confusion"])
    assert confusion.sum(axis=1).tolist() == [3, 3], "rows are the truth"
    assert evaluation["accuracy"] == accuracy == confusion.trace() / 6
    assert evaluation["images"] == {"train": 16, "test": 6}
    assert {phase for phase, _, _ in told} == {"warming up", "training", "testing"}
    assert all(0 < done <= of for _, done, of in told)
    assert told[-1] == ("testing", 6, 6)

    # The matrix is that of the weights as stored.
    model = load_model(bundle)
    mean, std = (torch.tensor(v)[:, None, None] for v in (bundle.mean, bundle.std))
    own = np.zeros((2, 2), dtype=int)
    for truth, name in enumerate(bundle.classes):
        for path in sorted((tmp_path / "data" / "test" / name).iterdir()):
            values = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) / 255
            own[truth, int(model(((values - mean) / std)[None]).argmax())] += 1
    assert own.tolist() == confusion.tolist()


def test_without_a_test_folder_some_images_of_every_class_are_held_out(tmp_path: Path) -> None:
    draw(tmp_path / "data", {"bright": 220, "dark": 30})
    recipe = Recipe(**(vars(RECIPE) | {"epochs": 1, "warm_up_epochs": 0}))
    train(tmp_path / "data", tmp_path / "mine", recipe, quiet, read=read)
    evaluation = json.loads((tmp_path / "mine" / "evaluation.json").read_text())
    tested = np.array(evaluation["confusion"]).sum(axis=1)
    assert evaluation["images"] == {"train": 13, "test": 3}
    assert tested.sum() == 3
    assert (tested > 0).all()


@pytest.mark.parametrize(
    ("classes", "said"), [({}, "data"), ({"bright": 220}, "two or more classes")]
)
def test_too_few_classes_are_refused(tmp_path: Path, classes: dict[str, int], said: str) -> None:
    (tmp_path / "data").mkdir()
    draw(tmp_path / "data", classes)
    with pytest.raises(InvalidRequest, match=said):
        train(tmp_path / "data", tmp_path / "mine", RECIPE, quiet, read=read)
    assert not (tmp_path / "mine").exists()


def test_a_missing_folder_and_empty_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "bright").mkdir(parents=True)
    (tmp_path / "data" / "dark").mkdir()
    for folder in ("nowhere", "data"):
        with pytest.raises(InvalidRequest):
            train(tmp_path / folder, tmp_path / "mine", RECIPE, quiet, read=read)


def test_test_classes_that_differ_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "data" / "train", {"bright": 220, "dark": 30}, count=1)
    draw(tmp_path / "data" / "test", {"bright": 220, "grey": 128}, count=1)
    with pytest.raises(InvalidRequest, match="the same for training and testing"):
        train(tmp_path / "data", tmp_path / "mine", RECIPE, quiet, read=read)


def test_a_train_folder_without_a_test_folder_is_refused_in_words(tmp_path: Path) -> None:
    draw(tmp_path / "data" / "train", {"bright": 220, "dark": 30}, count=1)
    with pytest.raises(InvalidRequest):
        train(tmp_path / "data", tmp_path / "mine", RECIPE, quiet, read=read)


def test_a_reserved_class_is_refused_before_training(tmp_path: Path) -> None:
    draw(tmp_path / "data", {"all": 220, "dark": 30}, count=8)
    told: list[str] = []
    with pytest.raises(InvalidRequest, match="reserved"):
        train(
            tmp_path / "data",
            tmp_path / "mine",
            RECIPE,
            lambda phase, done, of, loss: told.append(phase),
            read=read,
        )
    assert not told, "hours of training would be lost"


def test_an_out_folder_that_is_no_bundle_is_refused_before_training(tmp_path: Path) -> None:
    draw(tmp_path / "data", {"bright": 220, "dark": 30})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "item.json").write_text("{}")
    told: list[str] = []
    with pytest.raises(InvalidRequest, match="already holds"):
        train(
            tmp_path / "data",
            tmp_path / "mine",
            RECIPE,
            lambda phase, done, of, loss: told.append(phase),
            read=read,
        )
    assert not told, "hours of training would be lost"


def test_a_start_of_another_architecture_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "data", {"bright": 220, "dark": 30}, count=1)
    torch.save({"layer1.weight": torch.ones(2)}, tmp_path / "other.pth")
    recipe = Recipe(**(vars(RECIPE) | {"init": str(tmp_path / "other.pth")}))
    with pytest.raises(InvalidRequest, match="another architecture"):
        train(tmp_path / "data", tmp_path / "mine", recipe, quiet, read=read)


def test_a_start_from_a_checkpoint_keeps_its_trunk(tmp_path: Path, bundle_folder: Path) -> None:
    """Warming up alone must leave everything but the last layer as it was."""
    draw(tmp_path / "data", {"bright": 220, "dark": 30})
    start = bundle_folder / "model.safetensors"
    of_the_start = {"architecture": "shufflenet_v2_x0_5", "init": str(start), "epochs": 0}
    recipe = Recipe(**(vars(RECIPE) | of_the_start))
    bundle, _ = train(tmp_path / "data", tmp_path / "mine", recipe, quiet, read=read)
    before = load_model(read_bundle(bundle_folder)).state_dict()
    after = load_model(bundle).state_dict()
    changed = {
        name
        for name in before
        if before[name].shape != after[name].shape or not torch.equal(before[name], after[name])
    }
    assert changed == {"fc.weight", "fc.bias"}


def test_training_starts_from_another_model(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", {"bright": 220, "dark": 30})
    untrained = replace(RECIPE, epochs=0, warm_up_epochs=0)
    first, _ = train(data, tmp_path / "first", untrained, quiet, read=read)
    on = replace(untrained, init=str(tmp_path / "first"), seed=1)
    second, _ = train(data, tmp_path / "second", on, quiet, read=read)
    states = [load_model(bundle).state_dict() for bundle in (first, second)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    with pytest.raises(InvalidRequest, match="tensors in 'aerial-scenes' fit"):
        train(data, tmp_path / "none", replace(on, init="aerial-scenes"), quiet, read=read)
    with pytest.raises(UnknownModel, match="'aerial-scene'"):
        train(data, tmp_path / "none", replace(on, init="aerial-scene"), quiet, read=read)
    assert not (tmp_path / "none").exists()
