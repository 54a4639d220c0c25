"""How precisions agree with fp32 is written down, and found again."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from shutil import copytree

import pytest

from geogaze.models.agreement import (
    PROPERTY,
    Agreement,
    figures_of,
    keep_agreement,
    known_agreement,
)
from geogaze.models.item import read_bundle
from geogaze.models.registry import torchvision_catalogue

FOUND = {"fp16": Agreement(1.0, 0.02, 132), "bf16": Agreement(0.97, inf, 132)}


def test_what_a_job_measured_is_found_again(tmp_path: Path) -> None:
    published = torchvision_catalogue()["resnet50"]
    assert known_agreement(published, tmp_path / "cache") == {}
    keep_agreement(published, FOUND, tmp_path / "cache")
    assert known_agreement(published, tmp_path / "cache") == FOUND
    other = published.model_copy(update={"weights": "sha256:other"})
    assert known_agreement(other, tmp_path / "cache") == {}


def test_a_bundles_own_figures_come_first(bundle_folder: Path, tmp_path: Path) -> None:
    folder = copytree(bundle_folder, tmp_path / "mine")
    item = json.loads((folder / "item.json").read_text())
    item["properties"][PROPERTY] = figures_of({"bf16": FOUND["bf16"]})
    (folder / "item.json").write_text(json.dumps(item))
    bundle = read_bundle(folder)
    keep_agreement(bundle, FOUND | {"bf16": Agreement(1.0, 0.0, 1)}, tmp_path)
    assert known_agreement(bundle, tmp_path) == FOUND


@pytest.mark.parametrize("written", ["", "[]", '{"fp16": {"same_top": 1}}', '{"fp16": 1}'])
def test_figures_that_cannot_be_read_are_none(tmp_path: Path, written: str) -> None:
    published = torchvision_catalogue()["resnet50"]
    keep_agreement(published, FOUND, tmp_path)
    (kept,) = tmp_path.rglob("*.json")
    kept.write_text(written)
    assert known_agreement(published, tmp_path) == {}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    keep_agreement(torchvision_catalogue()["resnet50"], FOUND, tmp_path / "cache")
