"""A scene that is not as fine as what the model learned from."""

from __future__ import annotations

from pathlib import Path

import pytest
from affine import Affine

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Bundle
from geogaze.models.registry import find_bundle
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.explain.resolution import check_upsampling, resolution_advice
from tests.factories import make_scene


@pytest.fixture(scope="module")
def half_metre(bundle_folder: Path) -> Bundle:
    bundle = find_bundle(str(bundle_folder), allow_path=True)
    assert bundle.gsd == 0.5
    return bundle


@pytest.mark.parametrize("working", [0.2501, 0.5, 0.75, 0.999])
def test_alike_resolutions_need_no_word(half_metre: Bundle, working: float) -> None:
    assert resolution_advice(half_metre, working, working) is None


@pytest.mark.parametrize(
    ("working", "pixel", "says"),
    [
        (1.0, 1.0, "2 times smaller than it knows them"),
        (1.5, 1.5, "3 times smaller"),
        (0.25, 0.25, "2 times larger"),
        (0.1, 0.1, "Ask for --gsd 0.5."),
        (2.0, 2.0, "Ask for --gsd 0.5."),  # four times finer is allowed
        (100.0, 100.0, "too coarse for it"),
        (25.0, 100.0, "too coarse for it"),
    ],
)
def test_others_do_from_a_factor_of_two(
    half_metre: Bundle, working: float, pixel: float, says: str
) -> None:
    told = resolution_advice(half_metre, working, pixel)
    assert told is not None
    assert says in told
    assert ("--gsd" in told) == (pixel <= 2.0)
    unknown = half_metre.model_copy(update={"gsd": None})
    assert resolution_advice(unknown, working, pixel) is None


def test_upsampling_has_an_end_unless_it_is_meant(half_metre: Bundle) -> None:
    for asked in (None, 100.0, 25.0):
        check_upsampling(half_metre, asked, 100.0, force=False)
    check_upsampling(half_metre, 0.5, 100.0, force=True)
    with pytest.raises(InvalidRequest, match=r"40,000 pixels of each.*25 m or coarser.*--force"):
        check_upsampling(half_metre, 0.5, 100.0, force=False)
    with pytest.raises(InvalidRequest, match="no resampling brings back"):
        check_upsampling(half_metre, 0.5, 100.0, force=False)
    with pytest.raises(InvalidRequest) as caught:
        check_upsampling(half_metre, 0.1, 1.0, force=False)
    assert "brings back" not in str(caught.value)


def test_a_plan_warns_of_a_scene_a_model_does_not_fit(tmp_path: Path, bundle_folder: Path) -> None:
    grid = Affine.translation(430_000, 5_410_000) @ Affine.scale(3.0, -3.0)
    scene = make_scene(tmp_path / "coarse.tif", transform=grid)

    def plan(**options: object) -> tuple[str, ...]:
        asked = {"scene": str(scene), "model": str(bundle_folder), **options}
        return make_plan(ExplainRequest.parse(asked), Settings(), local=True).warnings

    assert "6 times smaller" in plan()[0]
    assert plan(gsd=0.75) == ()
    with pytest.raises(InvalidRequest, match="--force"):
        plan(gsd=0.5)
    assert plan(gsd=0.5, force=True) == ()
