"""What a planned job will take, by what earlier jobs took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.ledger.spending import Earlier, Spent
from geogaze.processes.explain.foreseen import foresee, work_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.quote import quote_of
from tests.factories import make_scene
from tests.unit.processes.test_quote import plan_of

RATES = {"explain": 0.02, "blend": 1e-5, "draw": 1e-6, "assemble": 0.3, "publish": 0.5}


@pytest.fixture
def plans(tmp_path: Path, bundle_folder: Path) -> Any:
    def plan(pixels: int, **asked: Any) -> Plan:
        scene = make_scene(tmp_path / f"{pixels}.tif", pixels, pixels)
        return plan_of(scene, bundle_folder, **asked)

    return plan


def seconds_of(plan: Plan) -> dict[str, float]:
    """What a fleet takes that has these rates for the first measure of each phase."""
    return {phase: rate * work_of(plan)[phase][0] for phase, rate in RATES.items()}


def earlier(plan: Plan, device: str = "cpu", times: float = 1.0) -> Earlier:
    spent = [
        Spent(phase, device, 0, times * seconds, 4 * times * seconds)
        for phase, seconds in seconds_of(plan).items()
    ]
    return Earlier(plan.kept(), spent, sum(seconds_of(plan).values()) / 3, 1000)


def test_a_job_is_foreseen_by_others_of_other_sizes(plans: Any) -> None:
    known = [earlier(plans(200, classes=["boat"])), earlier(plans(400))]
    asked = plans(640, overlap=0.25)
    ahead = foresee(asked, known)
    assert ahead
    wanted = {phase: seconds for phase, seconds in seconds_of(asked).items() if seconds}
    told = {one.phase: one.seconds for one in ahead.spent if one.seconds}
    assert told == pytest.approx(wanted)
    for one in ahead.spent:
        assert one.core_seconds == pytest.approx(4 * one.seconds)
    assert ahead.elapsed == pytest.approx(sum(wanted.values()) / 3), "three workers shared those"


def test_devices_keep_their_shares(plans: Any) -> None:
    known = [earlier(plans(200)), earlier(plans(400), "NVIDIA H200", 0.5)]
    ahead = foresee(plans(300), known)
    assert ahead
    explained = {one.device: one.seconds for one in ahead.spent if one.phase == "explain"}
    slow, quick = (seconds_of(plans(pixels))["explain"] for pixels in (200, 400))
    assert explained["cpu"] / explained["NVIDIA H200"] == pytest.approx(slow / (quick / 2))


def test_overlays_are_foreseen_by_jobs_that_drew_them_alike(plans: Any) -> None:
    with_all, without = plans(300, overlays="all"), plans(300, overlays="none")
    assert foresee(with_all, [earlier(without)]) is None
    ahead = foresee(with_all, [earlier(without), earlier(with_all)])
    assert ahead
    assert any(one.phase == "draw" and one.seconds for one in ahead.spent)


def test_plans_that_cannot_be_read_tell_nothing(plans: Any) -> None:
    plan = plans(200)
    unread = Earlier({"scene": "of another release"}, earlier(plan).spent, 1.0, 1)
    assert foresee(plan, [unread]) is None
    assert foresee(plan, []) is None
    assert foresee(plan, [unread, earlier(plan)]) == foresee(plan, [earlier(plan)])


def test_a_quote_has_it_at_the_prices_of_the_settings(plans: Any) -> None:
    plan = plans(200)
    quote = quote_of(plan, Settings(price_core_hour=0.1), [earlier(plan)])
    total = sum(seconds_of(plan).values())
    assert quote.bill
    assert quote.bill.worker_seconds == pytest.approx(total)
    assert quote.bill.cost == pytest.approx(4 * total / 3600 * 0.1)
    assert quote.seconds == pytest.approx(total / 3)
