"""Epochs: which parts they change, when they stop, and how they go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from geogaze.errors import InvalidRequest
from geogaze.models.item import read_bundle
from geogaze.networks.architectures import build
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe, fitting, train
from geogaze.networks.training.chips import Chips
from geogaze.networks.training.history import Epoch
from geogaze.networks.training.starting import trained_beside
from tests.unit.networks.drawn_chips import RECIPE, draw, drawn_net, quiet, read  # noqa: F401

pytestmark = pytest.mark.usefixtures("drawn_net")

LEVELS = {"bright": 150, "dark": 100}


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(read_bundle(folder)).state_dict())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw(tmp_path / "data", LEVELS, count=14, noise=25)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("epochs_before", [1, 2, 3])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs_before: int
) -> None:
    recipe = replace(RECIPE, epochs=3, validation=0.25, patience=9)
    train(data, tmp_path / "whole", recipe, quiet, read=read)
    epoch, begun = fitting._epoch, []

    def counted(*args: Any) -> float:
        begun.append(args)
        if len(begun) > epochs_before:
            raise Interrupted
        return epoch(*args)

    monkeypatch.setattr(fitting, "_epoch", counted)
    with pytest.raises(Interrupted):
        train(data, tmp_path / "broken", recipe, quiet, read=read)
    assert not (tmp_path / "broken").exists()
    begun.clear()
    monkeypatch.setattr(fitting, "_epoch", lambda *args: begun.append(args) or epoch(*args))
    train(data, tmp_path / "broken", recipe, quiet, read=read)
    assert len(begun) == 4 - epochs_before
    whole, broken = state_of(tmp_path / "whole"), state_of(tmp_path / "broken")
    assert all(torch.equal(whole[key], broken[key]) for key in whole)
    evaluations = [
        json.loads((tmp_path / name / "evaluation.json").read_text())
        for name in ("whole", "broken")
    ]
    assert evaluations[0] == evaluations[1]


def test_what_another_recipe_or_other_images_left_is_not_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    epoch = fitting._epoch

    def once(*args: Any) -> float:
        begun.append(1)
        if len(begun) == 2:
            raise Interrupted
        return epoch(*args)

    monkeypatch.setattr(fitting, "_epoch", once)
    with pytest.raises(Interrupted):
        train(data, tmp_path / "mine", RECIPE, quiet, read=read)
    train(data, tmp_path / "mine", replace(RECIPE, seed=1), quiet, read=read)
    assert len(begun) == 2 + 3, "another seed begins anew"


def test_a_state_that_cannot_be_read_is_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / ".mine-unfinished").mkdir()
    (tmp_path / ".mine-unfinished" / "state.pt").write_bytes(b"no state")
    with pytest.raises(InvalidRequest, match="remove its folder"):
        train(data, tmp_path / "mine", RECIPE, quiet, read=read)


def test_training_stops_where_it_no_longer_helps_and_keeps_the_best(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([9.0, 0.5, 0.2, 0.3, 0.4, 0.1])  # warming up, then five epochs
    states = []
    answers_to = fitting.answers_to

    def judged(chips: Any, model: nn.Module, *rest: Any) -> Any:
        states.append({key: value.clone() for key, value in model.state_dict().items()})
        found = answers_to(chips, model, *rest)

        class Judged:
            loss, accuracy = next(losses), found.accuracy

        return Judged

    monkeypatch.setattr(fitting, "answers_to", judged)
    recipe = replace(RECIPE, epochs=5, validation=0.25, patience=2)
    train(data, tmp_path / "mine", recipe, quiet, read=read)
    assert len(states) == 5, "the last was not waited for"
    kept = state_of(tmp_path / "mine")
    for key, value in states[2].items():
        torch.testing.assert_close(kept[key], value, rtol=1e-3, atol=1e-4)  # stored in half
    assert any((states[4][key] - kept[key]).abs().max() > 1e-3 for key in kept)


@pytest.mark.parametrize(
    ("depth", "changed"),
    [("frozen", {"head.4"}), ("last", {"head.4", "trunk.3.0"}), ("full", None)],
)
def test_no_more_is_changed_than_was_asked_for(
    data: Path, tmp_path: Path, depth: Any, changed: set[str] | None
) -> None:
    untrained = replace(RECIPE, epochs=0, warm_up_epochs=0)
    train(data, tmp_path / "start", untrained, quiet, read=read)
    recipe = replace(RECIPE, init=str(tmp_path / "start"), depth=depth, warm_up_epochs=0)
    train(data, tmp_path / "mine", recipe, quiet, read=read)
    before, after = state_of(tmp_path / "start"), state_of(tmp_path / "mine")
    found = {key.rpartition(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert found == changed if changed else len(found) == 5


@pytest.mark.parametrize(
    ("architecture", "first"), [("resnet18", "layer4.0"), ("vit_b_32", "encoder.layers")]
)
def test_last_is_a_quarter_of_the_blocks(architecture: str, first: str) -> None:
    with torch.device("meta"):
        model = build(architecture, 3, 3)
    trained = {id(parameter) for parameter in trained_beside(model, "last")}
    names = [name for name, parameter in model.named_parameters() if id(parameter) in trained]
    blocks = [name for name in names if name.endswith("weight")]
    assert blocks[0].startswith(first), blocks[0]
    assert (
        0
        < sum(model.get_parameter(name).numel() for name in names)
        < 0.8 * sum(parameter.numel() for parameter in model.parameters())
    )


def chips(labels: list[Any], classes: int) -> Chips:
    names = tuple(map(str, range(classes)))
    return Chips(names, [(Path("none"), label) for label in labels], read, nn.Identity())


def test_classes_weigh_alike_where_they_are_balanced() -> None:
    balanced = replace(RECIPE, balance=True)
    loss = fitting._loss(chips([0, 0, 0, 1], 2), balanced)
    torch.testing.assert_close(loss.weight, torch.tensor([4 / 6, 2.0]))
    rare = fitting._loss(chips([0] * 99 + [1], 2), balanced)
    assert float(rare.weight[1]) == 10, "one image must not be all that counts"
    each = fitting._loss(
        chips([(1.0, 1.0), (0.0, 1.0), (0.0, 1.0)], 2), replace(balanced, task="sigmoid")
    )
    torch.testing.assert_close(each.pos_weight, torch.tensor([2.0, 0.1]))
    assert fitting._loss(chips([0, 1, 1], 2), RECIPE).weight is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"depth": "frozen"}, "--trunk full"),
        ({"validation": 0.6}, "0 to 0.5"),
        ({"task": "none"}, "softmax or sigmoid"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        Recipe(**(vars(RECIPE) | changes)).check()


def test_an_epoch_is_patient_from_the_best_on() -> None:
    patient = replace(RECIPE, patience=2)
    epochs = [Epoch(i, "training", 1.0, 0.1, loss) for i, loss in enumerate([3, 1, 2, 1], start=2)]
    assert not fitting._settled(epochs[:3], patient)
    assert fitting._settled(epochs, patient), "as good is not better"
    assert not fitting._settled(epochs, RECIPE)
