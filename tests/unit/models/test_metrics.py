"""What a bundle's evaluation says of it."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import structlog

from geogaze.models.item import read_bundle
from geogaze.models.metrics import known_metrics
from geogaze.models.registry import find_bundle, torchvision_catalogue

SAID = {
    "accuracy": 0.75,
    "images": {"train": 8, "test": 4},
    "recall": {"boat": 1.0, "field": 0.5},
    "calibration": {"by": "validation", "ece": 0.03, "temperature": 2.0},
}


@pytest.fixture
def evaluated(bundle_folder: Path, tmp_path: Path) -> Any:
    def of(said: str) -> dict[str, Any]:
        folder = copytree(bundle_folder, tmp_path / "mine", dirs_exist_ok=True)
        (folder / "evaluation.json").write_text(said)
        return known_metrics(read_bundle(folder))

    return of


def test_figures_are_told_by_fixed_names(evaluated: Any, bundle_folder: Path) -> None:
    assert evaluated(json.dumps(SAID)) == {
        "test_accuracy": 0.75,
        "test_images": 4,
        "recall": {"boat": 1.0, "field": 0.5},
        "ece": 0.03,
        "calibrated_by": "validation",
    }
    former = {key: SAID[key] for key in ("accuracy", "images")}
    assert evaluated(json.dumps(former)) == {"test_accuracy": 0.75, "test_images": 4}
    assert known_metrics(read_bundle(bundle_folder)) == {}
    assert known_metrics(torchvision_catalogue()["resnet50"]) == {}


@pytest.mark.parametrize("said", ["{", "[]", '{"accuracy": 1}', '{"accuracy": 1, "images": 3}'])
def test_what_cannot_be_read_is_logged(evaluated: Any, said: str) -> None:
    with structlog.testing.capture_logs() as logs:
        assert evaluated(said) == {}
    assert logs[0]["event"] == "evaluation not read"


def test_the_shipped_bundle_is_calibrated() -> None:
    shipped = find_bundle("aerial-scenes")
    metrics = known_metrics(shipped)
    assert metrics["test_accuracy"] > 0.97
    assert 0 < metrics["ece"] <= 0.04
    assert len(metrics["recall"]) == 21
    assert shipped.temperature == pytest.approx(0.58, abs=0.01)
