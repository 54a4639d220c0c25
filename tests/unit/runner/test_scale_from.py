"""Jobs on the scale of an earlier one: what was cut apart comes together again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from geogaze.errors import InvalidRequest
from geogaze.outputs import results_item
from geogaze.runner.embedded import RunReport
from tests.factories import NORTH_UP, make_values, write_scene
from tests.unit.runner.conftest import Explain
from tests.unit.runner.test_embedded import CELLS, CLASSES, read

WIDTH, CUT, STRIDE = 640, 320, 32  # a tile starts at the cut; nothing else is shared


@pytest.fixture(scope="module")
def whole(explain_into: Explain, tmp_path_factory: pytest.TempPathFactory) -> RunReport:
    folder = tmp_path_factory.mktemp("cut")
    scene = write_scene(folder / "whole.tif", make_values(160, WIDTH, seed=3))
    return explain_into(scene, folder / "whole", overlays="none")


@pytest.fixture
def half(whole: RunReport, explain: Explain, tmp_path: Path) -> Any:
    """One side of the whole scene, explained."""

    def go(side: str, **options: Any) -> RunReport:
        columns = slice(0, CUT) if side == "left" else slice(CUT, WIDTH)
        place = NORTH_UP @ Affine.translation(columns.start, 0)
        scene = tmp_path / f"{side}.tif"
        with rasterio.open(whole.plan.scene.uri) as dataset:
            write_scene(scene, dataset.read()[..., columns], transform=place)
        return explain(scene, side, overlays="none", **options)

    return go


def test_halves_on_the_scale_of_the_whole_agree_with_it(whole: RunReport, half: Any) -> None:
    item = results_item(whole.assets["item"])
    across, peaks = CUT // STRIDE, []
    for side, theirs, ours in (
        ("left", np.s_[:, : across - CELLS + 1], np.s_[:, : across - CELLS + 1]),
        ("right", np.s_[:, across + CELLS :], np.s_[:, CELLS:]),
    ):
        report = half(side, scale_from=item)
        for name in CLASSES:
            expected, found = read(whole, f"heat-{name}")[theirs], read(report, f"heat-{name}")
            assert found[ours].shape == expected.shape
            assert np.nanmax(np.abs(found[ours] - expected)) <= 1e-5
            with rasterio.open(report.assets[f"heat-{name}"]) as dataset:
                tags = dataset.tags()
            assert tags["GEOGAZE_SCALE"] == repr(item["properties"]["geogaze:scales"][name])
            assert tags["GEOGAZE_SCALE_FROM"] == str(whole.job)
        said = json.loads(report.assets["item"].read_text())["properties"]
        assert said["geogaze:scale_from"] == str(whole.job)
        assert said["geogaze:scales"] == item["properties"]["geogaze:scales"]
        peaks.append(min(np.nanmax(read(report, f"heat-{name}")) for name in CLASSES))
    assert min(peaks) < 1, "on a scale of its own, each has cells of 1"


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"geogaze:weights": "1220ab"}, {}, "the weights of the model of the earlier job"),
        ({"geogaze:method": "HiResCAM"}, {}, "the method of the earlier job .* is 'HiResCAM'"),
        ({"geogaze:layer": "conv1"}, {}, "the network layer"),
        ({"geogaze:context": "scene"}, {}, "the context"),
        ({"geogaze:normalize": "none"}, {}, "the earlier job has normalize 'none'"),
        ({}, {"normalize": "tile"}, "this one 'tile'"),
        ({"geogaze:scales": {"boat": 1.0, "road": 0.0}}, {}, "has no scale for field, road"),
    ],
)
def test_scales_that_do_not_fit_are_refused_before_any_work(
    whole: RunReport, half: Any, tmp_path: Path, changes: Any, options: Any, message: str
) -> None:
    item = results_item(whole.assets["item"])
    item["properties"] |= changes
    with pytest.raises(InvalidRequest, match=message):
        half("left", scale_from=item, **options)
    assert not (tmp_path / "left").exists()


def test_a_job_of_a_server_is_not_known_here(whole: RunReport, half: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"geogaze results {whole.job} --download"):
        half("left", scale_from=whole.job)


def test_cells_of_another_size_are_worth_a_word(whole: RunReport, half: Any) -> None:
    item = results_item(whole.assets["item"])
    item["properties"]["gsd"] = 32.0
    assert (
        "heat cells are 32 m, here they are 16 m" in half("left", scale_from=item).plan.warnings[0]
    )
