"""Requests: what may be left out, what is refused and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from geogaze.errors import InvalidRequest
from geogaze.models.registry import DEFAULT_MODEL
from geogaze.processes.explain.request import ExplainRequest


def test_a_scene_is_all_that_must_be_said() -> None:
    request = ExplainRequest.parse({"scene": "a.tif"})
    assert request.model_dump(exclude_none=True) == {
        "scene": "a.tif",
        "model": DEFAULT_MODEL,
        "classes": "all",
        "overlap": 0.5,
        "square": False,
        "force": False,
        "normalize": "job",
        "method": "gradcam",
        "context": "tile",
        "colormap": "inferno",
        "threshold": 0.5,
        "on_error": "fail",
        "priority": "normal",
    }


def test_requests_survive_json() -> None:
    request = ExplainRequest.parse(
        {
            "scene": "a.tif",
            "classes": ["ship", "boat"],
            "overlap": 0,
            "gsd": 0.3,
            "bands": [3, 2, 1],
            "rescale": [[0, 3000]],
            "aoi": {"type": "Polygon", "coordinates": []},
        }
    )
    assert ExplainRequest.parse(request.model_dump(mode="json")) == request


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scene": None}, "scene: "),
        ({"scene": ""}, "scene: .* at least 1 character"),
        ({"overlap": 1.5}, r"overlap: .* less than or equal to 0\.9 \(got 1\.5\)"),
        ({"overlap": -0.1}, r"overlap: .* greater than or equal to 0 \(got -0\.1\)"),
        ({"overlap": float("nan")}, r"overlap: .*\(got nan\)"),
        ({"overlap": "half"}, r"overlap: .* \(got 'half'\)"),
        ({"gsd": 0}, r"gsd: .* greater than .*\(got 0\)"),
        ({"gsd": float("nan")}, r"gsd: .*\(got nan\)"),
        ({"gsd": float("inf")}, r"gsd: .*\(got inf\)"),
        ({"classes": "boat"}, r"classes: .*'all' or 'top'.* \(got 'boat'\)"),
        ({"classes": []}, r"classes: .* \(got \[\]\)"),
        ({"normalize": "max"}, r"normalize: .*'job', 'tile' or 'none' \(got 'max'\)"),
        ({"bands": "3,2,1"}, r"bands: .* \(got '3,2,1'\)"),
        ({"rescale": [0, 255]}, r"rescale: .* \(got 0\)"),
        ({"rescale": [[0, float("inf")]]}, r"rescale: .* \(got inf\)"),
        ({"aoi": "POLYGON EMPTY"}, r"aoi: .* \(got 'POLYGON EMPTY'\)"),
        ({"sceen": 1}, r"sceen: Extra inputs are not permitted \(got 1\)"),
    ],
    ids=str,
)
def test_refusals_name_the_input_and_its_value(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        ExplainRequest.parse({"scene": "a.tif", **values})


def test_all_that_is_wrong_is_said_in_one_line() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ExplainRequest.parse({"overlap": 2, "gsd": -1, "classes": 3})
    message = str(refusal.value)
    assert "\n" not in message
    for name in ("scene", "overlap", "gsd", "classes"):
        assert message.count(f"{name}: ") == 1


def test_long_values_are_cut() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ExplainRequest.parse({"scene": "a.tif", "aoi": "x" * 10_000})
    assert len(str(refusal.value)) < 200


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="request: "):
        ExplainRequest.parse(["a.tif"])  # type: ignore[arg-type]


def test_a_file_whose_name_is_not_utf8_is_to_be_renamed() -> None:
    with pytest.raises(InvalidRequest, match="has to be renamed"):
        ExplainRequest.parse({"scene": "caf\udce9.tif"})
