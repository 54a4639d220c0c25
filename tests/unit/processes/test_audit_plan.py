"""The plan of an audit: whose tiles a strip has."""

from __future__ import annotations

from pathlib import Path

import pytest

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.processes.audit.planning import make_plan
from geogaze.processes.audit.request import AuditRequest
from tests.factories import make_scene

TRUTH = {"type": "FeatureCollection", "features": []}


def test_strips_run_over_scenes_and_each_tile_is_in_one(
    bundle_folder: Path, tmp_path: Path
) -> None:
    scenes = [
        str(make_scene(tmp_path / f"{n}.tif", rows * 64 + 10, cols * 64 + 20))
        for n, (rows, cols) in enumerate([(2, 3), (1, 1), (2, 2)])
    ]
    asked = {"scenes": scenes, "truth": TRUTH, "class": "boat", "model": str(bundle_folder)}
    settings = Settings(chunk_tiles=4)
    plan = make_plan(AuditRequest.parse(asked), settings, local=True)
    assert [(site.rows, site.cols) for site in plan.sites] == [(2, 3), (1, 1), (2, 2)]
    assert plan.tiles == 11
    pieces = [list(plan.pieces(plan.strips.rectangle(n))) for n in range(plan.strips.count)]
    assert pieces == [
        [(0, range(4))],
        [(0, range(4, 6)), (1, range(1)), (2, range(1))],
        [(2, range(1, 4))],
    ]
    assert plan.sites[0].places(range(2, 5)) == [(0, 2), (1, 0), (1, 1)]
    assert plan.units == {"measure": 3, "randomise": 3, "change": 3, "judge": 1}
    again = plan.model_copy(update={"changed": 7, "seed": 9})
    assert again.content == plan.content, "what was measured is the same"
    other = plan.model_copy(update={"target": 1})
    assert other.content != plan.content
    assert "folder" not in plan.model_copy(update={"local": False}).kept()["bundle"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scenes": []}, "scenes"),
        ({"scenes": ["a.tif"], "jobs": ["6f1c0a9e-4f7b-4b52-9a63-3a6f3f5d2f11"]}, "one of the two"),
        ({"truth": [TRUTH, TRUTH, TRUTH]}, "3 for 1 scenes"),
        ({"weights": "abc"}, "weights"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_request_is_told(changes: dict[str, object], says: str) -> None:
    asked = {"scenes": ["a.tif"], "truth": TRUTH, "class": "boat"}
    with pytest.raises(InvalidRequest, match=says):
        AuditRequest.parse({**asked, **changes})
