"""Plans of another release: what a worker does not know it does not leave out silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.errors import ReleaseDiffers
from geogaze.ledger.retries import POLICIES
from geogaze.processes.echo import EchoPlan
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest

Kept = dict[str, Any]


@pytest.fixture
def kept(scene: Path, bundle_folder: Path) -> Kept:
    """A plan as the ledger has it."""
    request = ExplainRequest.parse({"scene": str(scene), "model": str(bundle_folder)})
    return make_plan(request, Settings(), local=True).kept()


@pytest.mark.parametrize("nothing", [None, False, 0, "", [], {}])
def test_what_asks_for_nothing_may_be_unknown(kept: Kept, nothing: object) -> None:
    newer = {**kept, "sharpened": nothing, "bundle": {**kept["bundle"], "tuned": nothing}}
    assert Plan.read(newer) == Plan.read(kept)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plan: plan.update(sharpened=0.5), r"\(sharpened\)"),
        (lambda plan: plan["bundle"].update(tuned=True), r"\(bundle\.tuned\)"),
        (lambda plan: plan["scene"].update(moved=[1]), r"\(scene\.moved\)"),
        (lambda plan: plan.update(method="nextcam"), r"\(method: "),
        (lambda plan: plan.pop("layers"), r"\(layers: "),
    ],
)
def test_what_asks_for_something_is_left_to_others(
    kept: Kept, change: Callable[[Kept], object], named: str
) -> None:
    change(kept)
    with pytest.raises(ReleaseDiffers, match=named):
        Plan.read(kept)


def test_no_try_is_spent_on_meeting_the_wrong_worker() -> None:
    assert not POLICIES[ReleaseDiffers.retry].spends_try


def test_inputs_of_any_name_are_known() -> None:
    kept = EchoPlan(inputs={"object": {"any": "name"}}, pause=0).kept()
    assert EchoPlan.read(kept).inputs == {"object": {"any": "name"}}
