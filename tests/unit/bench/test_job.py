"""``bench job``: a whole run, and where its time went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geogaze.cli.app import app
from geogaze.config import get_settings
from tests.factories import make_scene

KEYS = {
    *("tiles", "seconds", "network_s", "efficiency", "parts", "overlay_megapixels_per_core_s"),
    *("runtime", "precision", "peak_bytes"),
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DEVICE": "cpu", "TORCH_THREADS": "1"}.items():
        monkeypatch.setenv(f"GEOGAZE_{name}", value)
    get_settings.cache_clear()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bench", "job", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_one_object_tells_where_the_time_went(scene: Path, bundle_folder: Path) -> None:
    found = json.loads(run(str(scene), "--model", str(bundle_folder), "--json").splitlines()[-1])
    assert set(found) >= KEYS
    assert found["tiles"] > 0
    parts = found["parts"]
    assert {"start", "load", "read", "network", "store", "publish"} <= set(parts)
    assert parts["network"] == found["network_s"] > 0
    assert found["efficiency"] == pytest.approx(found["network_s"] / found["seconds"])
    assert 0 < found["efficiency"] < 1
    assert found["runtime"].startswith("openvino")
    assert found["precision"] == "fp32"
    assert found["overlay_megapixels_per_core_s"] > 0
    assert found["peak_bytes"] > 100 * 2**20  # Python with what draws and computes


def test_without_overlays_there_is_no_rate_of_theirs(scene: Path, bundle_folder: Path) -> None:
    options = (str(scene), "--model", str(bundle_folder), "--overlays", "none")
    found = json.loads(run(*options, "--runtime", "torch", "--json").splitlines()[-1])
    assert found["overlay_megapixels_per_core_s"] is None
    assert found["runtime"].startswith("torch")
    assert "overlay" not in found["parts"]


def test_people_get_a_table(tmp_path: Path, bundle_folder: Path) -> None:
    scene = make_scene(tmp_path / "a-scene.tif")
    text = run(str(scene), "--model", str(bundle_folder), "--classes", "top")
    assert "a-scene.tif" in text
    assert "network" in text
    assert max(len(line) for line in text.splitlines()) <= 80
