"""Chips to train by: of any number of bands, with one label or several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geogaze.errors import InvalidRequest
from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe, train
from geogaze.networks.training.chips import LABELS, labelled_chips, usual_task
from geogaze.networks.training.varying import transforms

BANDS = 5
RECIPE = Recipe(
    architecture="squeezenet1_1",
    init="random",
    epochs=3,
    warm_up_epochs=0,
    batch_size=4,
    input_size=64,
    learning_rate=1e-2,
    bands=tuple("abcde"),
    mean=(0.5,) * BANDS,
    std=(0.25,) * BANDS,
    rescale=((0.0, 10_000.0),) * BANDS,
    workers=0,
)


def read(path: Path) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.load(path.with_suffix(".npy")) / 10_000
    return values.astype(np.float32)


def draw(folder: Path, name: str, bright: list[int], seed: int) -> None:
    """A chip of 16 bits whose first or last band is bright."""
    values = np.random.default_rng(seed).normal(2000, 300, (BANDS, 64, 64))
    for band in bright:
        values[band] += 6000
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tif").touch()
    np.save(folder / f"{name}.npy", values.clip(0, 65_535).astype(np.uint16))


def quiet(phase: str, done: int, of: int, loss: float) -> None:
    pass


def folders(data: Path) -> Path:
    for i in range(7):
        draw(data / "first", f"f{i}", [0], i)
        draw(data / "last", f"l{i}", [4], 50 + i)
    return data


def table(data: Path, classes: list[str]) -> Path:
    """Chips with none, one or all of the classes."""
    rows = []
    for i in range(14):
        labels = [(i >> bit) & 1 for bit in range(len(classes))]
        draw(data / "images", f"{i}", [4 * bit for bit, label in enumerate(labels) if label], i)
        rows.append(",".join([f"images/{i}.tif", *map(str, labels)]))
    (data / LABELS).write_text("\n".join([",".join(["file", *classes]), *rows]) + "\n")
    return data


def test_five_bands_of_sixteen_bits_are_learned_and_described(tmp_path: Path) -> None:
    bundle, accuracy = train(
        folders(tmp_path / "data"), tmp_path / "mine", RECIPE, quiet, read=read
    )
    assert read_bundle(tmp_path / "mine") == bundle
    assert (bundle.bands, bundle.rescale) == (RECIPE.bands, RECIPE.rescale)
    assert 0 <= accuracy <= 1
    assert load_model(bundle).features[0].in_channels == BANDS
    assert bundle.probabilities == "softmax"


@pytest.mark.parametrize("classes", [["first", "last"], ["first"]])
def test_several_labels_and_one_are_learned_each_by_itself(
    tmp_path: Path, classes: list[str]
) -> None:
    recipe = Recipe(**(vars(RECIPE) | {"task": "sigmoid"}))
    data = table(tmp_path / "data", classes)
    bundle, accuracy = train(data, tmp_path / "mine", recipe, quiet, read=read)
    assert (bundle.probabilities, bundle.classes) == ("sigmoid", tuple(classes))
    evaluation = json.loads((tmp_path / "mine" / "evaluation.json").read_text())
    by_class = np.array(evaluation["confusion_by_class"])
    assert by_class.shape == (len(classes), 2, 2)
    assert by_class.sum(axis=(1, 2)).tolist() == [2] * len(classes), "rows are the truth"
    right = by_class.trace(axis1=1, axis2=2).sum()
    assert accuracy == evaluation["accuracy"] == pytest.approx(right / by_class.sum())


def test_class_folders_may_be_taken_for_labels(tmp_path: Path) -> None:
    augment, plain = transforms(64, RECIPE.mean, RECIPE.std)
    parts = labelled_chips(folders(tmp_path), "sigmoid", read, augment, plain)
    training, testing = parts.training, parts.testing
    assert parts.classes == ("first", "last")
    assert testing[0][1].tolist() == [1, 0]
    assert training[len(training) - 1][1].tolist() == [0, 1]
    image = testing[0][0]
    assert image.shape == (BANDS, 64, 64)
    wanted = (torch.from_numpy(read(tmp_path / "first" / "f0.tif")) - 0.5) / 0.25
    torch.testing.assert_close(torch.as_tensor(image), wanted)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,first\na.tif,1\n", "begins with a line file,CLASS"),
        ("file\na.tif\n", "begins with"),
        ("", "begins with"),
        ("file,first\na.tif,yes\n", "0 or 1"),
        ("file,first\na.tif,1,0\n", "0 or 1"),
        ("file,first\ngone.tif,1\n", "not there"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    draw(tmp_path, "a", [0], 0)
    (tmp_path / LABELS).write_text(text)
    nothing = transforms(64, RECIPE.mean, RECIPE.std)
    with pytest.raises(InvalidRequest, match=says):
        labelled_chips(tmp_path, "sigmoid", read, *nothing)


def test_a_table_is_no_softmaxs_and_no_task_no_training(tmp_path: Path) -> None:
    data = table(tmp_path / "data", ["first"])
    with pytest.raises(InvalidRequest, match="--task sigmoid"):
        train(data, tmp_path / "mine", RECIPE, quiet, read=read)
    recipe = Recipe(**(vars(RECIPE) | {"task": "none"}))
    with pytest.raises(InvalidRequest, match="softmax or sigmoid"):
        train(data, tmp_path / "mine", recipe, quiet, read=read)
    assert not (tmp_path / "mine").exists()


def test_a_table_may_give_each_image_one_class(tmp_path: Path) -> None:
    names = ["last", "first", "last", "first", "first", "last", "last", "last"]
    for i, name in enumerate(names):
        draw(tmp_path / "images", f"{i}", [4 if name == "last" else 0], i)
    lines = ["file,class", *(f"images/{i}.tif,{name}" for i, name in enumerate(names))]
    (tmp_path / LABELS).write_text("\n".join(lines))
    assert usual_task(tmp_path) == "softmax"
    parts = labelled_chips(tmp_path, "softmax", read, *transforms(64, RECIPE.mean, RECIPE.std))
    assert parts.classes == ("first", "last")
    for chips in (parts.training, parts.testing):
        told = [(path.stem, parts.classes[int(label)]) for path, label in chips.rows]
        assert told == [(stem, names[int(stem)]) for stem, _ in told]
    assert parts.counts == {"train": 6, "test": 2}
    assert {int(label) for label in parts.testing.labels} == {0, 1}
    (tmp_path / LABELS).write_text("file,class\nimages/0.tif,last\nimages/1.tif,\n")
    with pytest.raises(InvalidRequest, match=r"1\.tif needs the name of one class"):
        usual_task(tmp_path)


def test_images_are_held_out_of_every_class_and_never_tested_by(tmp_path: Path) -> None:
    nothing = transforms(64, RECIPE.mean, RECIPE.std)
    parts = labelled_chips(folders(tmp_path), "softmax", read, *nothing, held_out=0.25)
    assert parts.counts == {"train": 9, "validation": 3, "test": 2}
    assert parts.validation is not None
    each = [
        {path for path, _ in chips.rows}
        for chips in (parts.training, parts.validation, parts.testing)
    ]
    assert len(set.union(*each)) == 14
    assert {int(label) for label in parts.validation.labels} == {0, 1}
    assert parts.validation.transform is parts.testing.transform


def test_a_start_of_three_bands_is_spread_over_five(tmp_path: Path, bundle_folder: Path) -> None:
    start = bundle_folder / "model.safetensors"
    of_the_start = {"architecture": "shufflenet_v2_x0_5", "init": str(start), "epochs": 0}
    recipe = Recipe(**(vars(RECIPE) | of_the_start))
    bundle, _ = train(folders(tmp_path / "data"), tmp_path / "mine", recipe, quiet, read=read)
    ours = load_model(bundle).conv1[0].weight
    theirs = load_model(read_bundle(bundle_folder)).conv1[0].weight
    torch.testing.assert_close(ours.sum(dim=1), theirs.sum(dim=1), rtol=1e-2, atol=1e-3)
