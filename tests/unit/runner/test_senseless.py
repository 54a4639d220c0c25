"""Tiles whose scores are no numbers: an error of theirs, not a success."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from safetensors.torch import load_file, save_file

from geogaze.config import Settings
from geogaze.errors import InvalidBundle
from geogaze.evidence.results import BatchResult
from geogaze.files import file_sha256
from geogaze.models.bundles import Probabilities
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest, OnError
from geogaze.runner.chunk import Answers
from geogaze.runner.embedded import run
from geogaze.runner.part import ChunkTable

SETTINGS = Settings(device="cpu", torch_threads=1)


def answers(scene: Path, bundle: Path, on_error: OnError) -> tuple[Answers, ChunkTable]:
    asked = ExplainRequest(scene=str(scene), model=str(bundle), overlap=0, on_error=on_error)
    plan = make_plan(asked, SETTINGS, local=True)
    table = ChunkTable.unseen(plan, 6, np.ones((4, 6), dtype=np.float32))
    found = Answers(plan, table, np.array([0, 2, 3, 5]))
    logits = np.ones((4, 3), dtype=np.float32)
    evidence = np.ones((4, 3, 2, 2), dtype=np.float32) * np.arange(4)[:, None, None, None]
    logits[1, 2] = np.nan
    evidence[2, 0, 1, 1] = np.inf
    for some in ([0, 1], [2, 3]):
        found.note(BatchResult(np.array(some), logits[some], evidence[some], "made up"))
    return found, table


TILES = [(0, col) for col in range(6)]


def test_they_fail_the_job_and_are_named(scene: Path, bundle_folder: Path) -> None:
    found, _ = answers(scene, bundle_folder, "fail")
    found.check_whole()
    with pytest.raises(InvalidBundle, match="row 0, column 2 and of 1 more are no numbers"):
        found.without_senseless(TILES)


def test_or_they_are_left_out(scene: Path, bundle_folder: Path) -> None:
    found, table = answers(scene, bundle_folder, "skip")
    (reason,) = (left_out := found.without_senseless(TILES))
    assert "no numbers" in reason
    assert left_out[reason] == [(0, 2), (0, 3)]
    assert table.seen.tolist() == [True, False, False, False, False, True]
    assert found.evidence.shape[1] == 2
    assert found.evidence[0, :, 0, 0].tolist() == [0, 3]
    assert np.isnan(table.probabilities[:, 2]).all()
    assert np.isnan(table.top_probability[[2, 3]]).all()


def test_classes_are_those_that_a_tile_is_of(scene: Path, bundle_folder: Path) -> None:
    """By each task, of tiles whose scores are numbers alone."""
    found, _ = answers(scene, bundle_folder, "skip")
    assert found.present == [0], "equal scores: the first"
    logits = np.array([[3, 0, -1], [-2, -3, -1], [-1, np.nan, -1]], dtype=np.float32)
    rules: dict[Probabilities, list[int]] = {"softmax": [0, 2], "sigmoid": [0, 1], "none": [0, 2]}
    for rule, wanted in rules.items():
        found, _ = answers(scene, bundle_folder, "skip")
        found._present[:] = False
        evidence = np.ones((3, 3, 2, 2), dtype=np.float32)
        found.note(BatchResult(np.arange(3), logits, evidence, "made up", rule))
        assert found.present == wanted, rule
    found._present[:] = False
    found.note(BatchResult(np.arange(1), logits[1:2], evidence[:1], "made up", "sigmoid"))
    assert found.present == [], "one is the best of none"


def test_where_all_is_well_nothing_is_left_out(scene: Path, bundle_folder: Path) -> None:
    found, _ = answers(scene, bundle_folder, "fail")
    found._senseless.clear()
    assert found.without_senseless(TILES) == {}


def test_a_whole_job_says_so(scene: Path, bundle_folder: Path, tmp_path: Path) -> None:
    """A network that takes the root of a negative number sees nothing anywhere."""
    folder = tmp_path / "broken"
    folder.mkdir()
    state = load_file(bundle_folder / "model.safetensors")
    state["conv1.1.running_var"].fill_(-1)
    save_file(state, folder / "model.safetensors")
    item = json.loads((bundle_folder / "item.json").read_text())
    item["properties"]["geogaze:sha256"] = file_sha256(folder / "model.safetensors")
    (folder / "item.json").write_text(json.dumps(item))
    asked = ExplainRequest(scene=str(scene), model=str(folder), overlap=0)
    with pytest.raises(InvalidBundle, match=r"row 0, column 0.*no numbers"):
        run(asked, tmp_path / "fail", SETTINGS)
    skipping = asked.model_copy(update={"on_error": "skip"})
    report = run(skipping, tmp_path / "skip", SETTINGS)
    assert ["no numbers" in reason["reason"] for reason in report.skipped] == [True]
    assert report.skipped[0]["tiles"] == report.tiles
    assert geopandas.read_parquet(report.assets["tiles"]).top_class.isna().all()
    with rasterio.open(report.assets["heat-boat"]) as heat:
        assert np.isnan(heat.read(1)).all()
