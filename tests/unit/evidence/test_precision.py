"""Precisions are chosen by what they change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geogaze.errors import DeviceAbsent
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.precision import Answers, agreement, quickest_agreeing
from geogaze.evidence.runtimes.rounded import Half, RoundedTrunk
from geogaze.evidence.runtimes.trunk import TorchTrunk
from geogaze.evidence.settling import measure, settle
from geogaze.models.agreement import Agreement, known_agreement
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from geogaze.networks.captured import Captured
from geogaze.networks.split import Split
from tests.factories import make_values

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(size=(200, 4)).astype(np.float32)
EVIDENCE = RANDOM.normal(size=(200, 4, 5, 5)).astype(np.float32)
EXACT = Answers(LOGITS, EVIDENCE, 4.0)


def test_the_same_agrees_wholly() -> None:
    assert agreement(EXACT, EXACT) == Agreement(1.0, 0.0, 200)
    assert agreement(EXACT, EXACT).holds


def test_tiles_that_change_their_class_are_counted() -> None:
    logits = LOGITS.copy()
    logits[:3] = -logits[:3]
    found = agreement(EXACT, Answers(logits, EVIDENCE, 1.0))
    assert found.same_top == 1 - 3 / 200
    assert not found.holds


def test_heat_is_compared_by_each_classs_own_scale() -> None:
    evidence = EVIDENCE * np.array([1, 10, 100, 1e-3], dtype=np.float32)[:, None, None]
    off = np.full_like(evidence, 0.0)
    off[:, 3] = 0.02 * np.quantile(evidence[:, 3][evidence[:, 3] > 0], 0.999)
    found = agreement(Answers(LOGITS, evidence, 1), Answers(LOGITS, evidence + off, 1))
    assert found.heat_off == pytest.approx(0.02, rel=0.02)
    assert found.holds


def test_evidence_below_zero_is_no_heat() -> None:
    lower = np.where(EVIDENCE < 0, EVIDENCE * 2, EVIDENCE)
    assert agreement(EXACT, Answers(LOGITS, lower, 1.0)).heat_off == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_agrees_with_nothing(bad: float) -> None:
    logits = LOGITS.copy()
    logits[5, 1] = bad
    found = agreement(EXACT, Answers(logits, EVIDENCE, 1.0))
    assert not found.holds
    assert found.figures == {"same_top": 0.0, "heat_off": None, "tiles": 200}


def test_the_quickest_that_agrees_is_chosen() -> None:
    answers = {
        "fp32": EXACT,
        "fp16": Answers(LOGITS, EVIDENCE, 2.0),
        "tf32": Answers(LOGITS, EVIDENCE, 3.0),
        "bf16": Answers(-LOGITS, EVIDENCE, 1.0),
    }
    chosen, agreed = quickest_agreeing(answers.__getitem__, "fp32", ["fp16", "tf32", "bf16"])
    assert chosen == "fp16"
    assert [found.holds for found in agreed.values()] == [True, True, False]
    slow = {name: Answers(LOGITS, EVIDENCE, 9.0) for name in answers} | {"fp32": EXACT}
    assert quickest_agreeing(slow.__getitem__, "fp32", ["fp16", "bf16"])[0] == "fp32"


class Loud(nn.Module):
    """Its activations pass what fp16 holds, 65,504, where images are bright."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 2, 2)
        nn.init.constant_(self.conv.weight, 3000.0)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.conv(images)
        return found


def test_what_fp16_cannot_hold_is_computed_again() -> None:
    trunk = Loud().requires_grad_(False)
    narrow = TorchTrunk(trunk, "fp16", (8, 8))
    dark, bright = torch.full((2, 3, 8, 8), 1e-3), torch.full((2, 3, 8, 8), 9.0)
    with torch.autocast("cpu", torch.float16):
        assert not torch.isfinite(trunk(bright)).all()
    assert torch.equal(narrow(bright), trunk(bright))
    assert narrow(dark).dtype == torch.float32
    assert torch.allclose(narrow(dark), trunk(dark), rtol=1e-2)


def test_tf32_is_of_gpus() -> None:
    with pytest.raises(DeviceAbsent, match="TF32"):
        TorchTrunk(Loud(), "tf32", (8, 8))


class Told:
    """A trunk that is off by a share."""

    runtime, most_tiles = "told", None

    def __init__(self, trunk: nn.Module, precision: Any) -> None:
        self.precision = precision
        self._trunk = trunk
        self._off = {"fp32": 1.0, "fp16": 1.001, "tf32": 1.01, "bf16": 2.0}[precision]

    def __call__(self, images: Tensor) -> Tensor:
        found: Tensor = self._trunk(images)
        return found * self._off


def test_precisions_are_tried_on_the_tiles_at_hand() -> None:
    torch.manual_seed(0)
    trunk = nn.Conv2d(3, 8, 4, 4).requires_grad_(False)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    cut = Split(trunk, head.requires_grad_(False), "conv")
    tiles = torch.randn(70, 3, 16, 16)
    chosen, agreed = settle(cut, lambda precision: Told(trunk, precision), tiles, 3, None)
    assert [agreed[name].holds for name in ("fp16", "tf32", "bf16")] == [True, True, False]
    assert agreed["bf16"].heat_off > 0.5
    assert chosen.precision in {"fp32", "fp16", "tf32"}
    asked, agreed = settle(cut, lambda precision: Told(trunk, precision), tiles, 3, "bf16")
    assert asked.precision == "bf16"
    assert list(agreed) == ["bf16"]


def test_a_lower_precision_that_was_asked_for_says_what_it_costs(bundle_folder: Path) -> None:
    engine = Engine(read_bundle(bundle_folder), EngineOptions("cpu", "bf16", runtime="torch"))
    window = engine.prepare(make_values(128, 128), np.ones((128, 128), bool), ((0.0, 255.0),))
    list(engine.explain_tiles(window, [(0, 0), (32, 32), (64, 64)], own((0, 1))))
    assert engine.ran["precision"] == "bf16"
    agreed = engine.ran["agreement"]["bf16"]
    assert agreed["tiles"] == 3
    assert 0 < agreed["heat_off"] < 0.3


def test_what_a_job_measured_is_kept_for_the_model(bundle_folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(bundle_folder)
    engine = Engine(bundle, EngineOptions("cpu", "bf16", runtime="torch", kept_in=tmp_path))
    window = engine.prepare(make_values(128, 128), np.ones((128, 128), bool), ((0.0, 255.0),))
    list(engine.explain_tiles(window, [(0, 0), (32, 32)], own((0, 1))))
    assert known_agreement(bundle, tmp_path) == engine.agreement != {}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_rounding_is_as_far_off_as_computing_in_half(precision: Half) -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.Hardswish()),
        nn.Conv2d(64, 64, 3, 1, 1),
    ).requires_grad_(False)
    before = copy.deepcopy(trunk.state_dict())
    images = torch.randn(4, 3, 32, 32)
    exact = trunk(images)
    off = [
        float((half(images) - exact).norm() / exact.norm())
        for half in (RoundedTrunk(trunk, precision), TorchTrunk(trunk, precision, (32, 32)))
    ]
    assert off[0] == pytest.approx(off[1], rel=0.1)
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_agreement_is_measured_before_there_is_a_job() -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU()).requires_grad_(False)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    tiles = torch.randn(300, 3, 16, 16)
    found = measure(Split(trunk, head.requires_grad_(False), "conv"), tiles, 3)
    assert found["fp16"].holds
    assert 0 < 4 * found["fp16"].heat_off < found["bf16"].heat_off
    assert found["fp16"].tiles == 150, "every other one"
    assert measure(Captured(trunk, "0"), tiles, 3) == {}, "runs in fp32 alone"
