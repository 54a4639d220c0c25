"""Which layers are drawn over the scene: all, those that win a tile, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

from geogaze.config import Settings
from geogaze.ledger.records import Part
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport
from geogaze.runner.phases.scale import _drawn
from tests.factories import make_scene

Explain = Callable[..., RunReport]
CLASSES = ("boat", "field", "road")


@pytest.fixture
def one_tile(tmp_path: Path) -> Path:
    return make_scene(tmp_path / "small.tif", 40, 70)


def overlays(report: RunReport) -> set[str]:
    return {name.removeprefix("overlay-") for name in report.assets if name.startswith("overlay-")}


def test_of_all_classes_those_that_win_a_tile_are_drawn(explain: Explain, one_tile: Path) -> None:
    report = explain(one_tile)
    best = set(geopandas.read_parquet(report.assets["tiles"])["top_class"])
    assert len(best) == 1
    assert overlays(report) == best
    assert {f"heat-{name}" for name in CLASSES} <= set(report.assets), "heat is of all"
    item = json.loads(report.assets["item"].read_text())
    assert item["properties"]["geogaze:overlays"] == "present"

    whole = explain(one_tile, "whole", overlays="all")
    assert overlays(whole) == set(CLASSES)
    (name,) = best
    files = (run.assets[f"overlay-{name}"].read_bytes() for run in (report, whole))
    assert len(set(files)) == 1, "what else is drawn does not show in it"


def test_classes_that_are_named_are_drawn_whatever_wins(explain: Explain, one_tile: Path) -> None:
    best = set(geopandas.read_parquet(explain(one_tile).assets["tiles"])["top_class"])
    others = sorted(set(CLASSES) - best)
    assert overlays(explain(one_tile, "named", classes=others)) == set(others)
    assert overlays(explain(one_tile, "won", classes=others, overlays="present")) == set()
    assert overlays(explain(one_tile, "none", classes=others, overlays="none")) == set()


def test_the_scene_is_kept_without_heat_wherever_anything_may_be_drawn(
    explain: Explain, one_tile: Path
) -> None:
    (best,) = overlays(explain(one_tile))
    others = sorted(set(CLASSES) - {best})
    none = explain(one_tile, "won", classes=others, overlays="present")
    assert overlays(none) == set()
    with rasterio.open(none.assets["backdrop"]) as backdrop, rasterio.open(one_tile) as scene:
        assert (backdrop.crs, backdrop.transform) == (scene.crs, scene.transform)
        shown, pixels = backdrop.read().astype(float), scene.read().astype(float)
        assert np.array_equal(backdrop.dataset_mask(), scene.dataset_mask())
    assert np.corrcoef(shown.ravel(), pixels.ravel())[0, 1] > 0.9, "JPEG of noise"
    alone = explain(one_tile, "all", overlays="all")
    assert alone.assets["backdrop"].read_bytes() == none.assets["backdrop"].read_bytes()
    assert "backdrop" not in explain(one_tile, "none", classes=others, overlays="none").assets


@pytest.fixture
def plan_of(one_tile: Path, wide_bundle: Path) -> Callable[..., Plan]:
    def plan(**inputs: object) -> Plan:
        asked = ExplainRequest.parse({"scene": str(one_tile), "model": str(wide_bundle), **inputs})
        return make_plan(asked, Settings(), local=True)

    return plan


def part(**result: object) -> Part:
    return Part(0, None, "", result)


def test_what_any_part_has_seen_win_is_drawn(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of()
    assert _drawn(plan, [part(won=[2]), part(won=[]), part(won=[0, 2])]) == [0, 2]
    assert _drawn(plan, [part(won=[])]) == []


def test_a_part_of_an_earlier_release_leaves_nothing_out(plan_of: Callable[..., Plan]) -> None:
    assert _drawn(plan_of(), [part(won=[1]), part()]) == [0, 1, 2]


def test_a_layer_of_two_classes_stands_for_its_first(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(classes=["boat vs road", "not field", "road"], overlays="present")
    assert _drawn(plan, [part(won=[0])]) == [0]
    assert _drawn(plan, [part(won=[1])]) == [1]
    assert _drawn(plan, [part(won=[2])]) == [2]


def test_the_best_class_of_each_cell_is_always_drawn(plan_of: Callable[..., Plan]) -> None:
    assert _drawn(plan_of(classes="top", overlays="present"), [part(won=[])]) == [0]


@pytest.mark.parametrize(("said", "meant"), [(True, "all"), (False, "none")])
def test_yes_and_no_of_earlier_releases_are_understood(
    plan_of: Callable[..., Plan], said: bool, meant: str
) -> None:
    plan = plan_of(overlays=said)
    assert plan.overlays == meant
    kept = plan.model_dump(mode="json") | {"overlays": said}
    assert Plan.model_validate(kept).overlays == meant


def test_an_overlay_that_is_named_among_the_outputs_is_drawn() -> None:
    asked = ExplainRequest.parse({"scene": "a.tif"})
    assert asked.drawn == "present"
    assert asked.narrowed(["overlay-boat"]).drawn == "all"
    assert asked.narrowed(["heat-boat"]).drawn == "none"
    assert asked.narrowed([]).drawn == "present"


def test_scores_that_are_none_of_classes_are_all_drawn(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(overlays="present")
    bundle = plan.bundle.model_copy(update={"probabilities": "none"})
    plan = plan.model_copy(update={"bundle": bundle})
    assert _drawn(plan, [part(won=[1])]) == [0, 1, 2]
