"""The rule of scaling as it is deployed, and the day that is played by it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from geogaze.metrics.backlog import BACKLOG
from infra.fleet.day import Day, Load, Machine, quantile
from infra.fleet.rule import SCALING, Autoscaler, Rule

CPU = Machine("cpu", 100, 0.36)


@pytest.fixture
def rule() -> Rule:
    return Rule.read()


def test_the_rule_is_the_one_that_is_deployed(rule: Rule) -> None:
    text = SCALING.read_text()
    assert f'threshold: "{rule.target:.0f}"' in text
    assert f"query: max({BACKLOG.name})" in text
    assert (rule.fewest, rule.most, rule.cooldown) == (0, 50, 300)


def wanted(rule: Rule, backlogs: list[float], workers: int, every: float = 15.0) -> list[int]:
    """Workers from look to look, each at once as many as are wanted."""
    scaler, told = Autoscaler(rule), [workers]
    for look, backlog in enumerate(backlogs):
        told.append(scaler.wanted(look * every, backlog, told[-1]))
    return told[1:]


def test_a_worker_has_so_many_seconds_of_backlog(rule: Rule) -> None:
    assert wanted(rule, [0.5], 0) == [1], "the smallest work wakes one"
    assert wanted(rule, [5 * rule.target], 4) == [5]
    assert wanted(rule, [5.01 * rule.target], 2) == [6], "rounded up"
    assert wanted(rule, [1e9], 48) == [rule.most]
    assert wanted(rule, [1.09 * rule.target * 20], 20) == [20], "that near, nothing changes"


def test_it_grows_by_as_much_as_policies_let_it(rule: Rule) -> None:
    """Eight, or twice as many, in a minute: the farther of both."""
    grown = wanted(rule, [1e9] * 9, 1)
    assert grown[:4] == [9] * 4
    assert grown[4] == 9, "a minute ago, at that look's edge, there was one"
    assert grown[5] == 18
    assert grown[-1] == 18


def test_a_pause_of_minutes_stops_nobody(rule: Rule) -> None:
    pause = int(rule.behavior.down.window / 15)
    told = wanted(rule, [20 * rule.target] + [rule.target] * (pause + 8), 20)
    assert told[:pause] == [20] * pause
    assert told[pause + 1] == 10, "half of them in a minute"
    assert min(told) >= 5


def test_the_last_one_goes_after_a_while_without_work(rule: Rule) -> None:
    looks = int(rule.cooldown / 15)
    told = wanted(rule, [10.0] + [0.0] * (looks + 1), 1)
    assert told[:looks] == [1] * looks
    assert told[-1] == 0


@pytest.mark.parametrize("fleet", [1, 7, "rule"])
def test_every_job_of_a_day_is_done(rule: Rule, fleet: int | str) -> None:
    spot = replace(CPU, losses=2.0)
    outcome = Day(Load(2e6, jobs=40), [spot], rule if fleet == "rule" else int(fleet)).play()
    assert len(outcome.waits) == len(outcome.turnarounds) == 40
    assert outcome.busy > 0.9 * 2e6 / CPU.tiles, "no tile is left out"
    assert outcome.busy <= outcome.paid
    assert outcome.cost == pytest.approx(outcome.paid / 3600 * CPU.price)
    assert outcome.lost > 0


def test_a_day_is_the_same_for_the_same_seed(rule: Rule) -> None:
    first, again, other = (Day(Load(1e6, jobs=30), [CPU], rule, seed).play() for seed in (1, 1, 2))
    assert first == again
    assert first.turnarounds != other.turnarounds


def test_one_worker_takes_jobs_in_turn_as_long_as_they_are(rule: Rule) -> None:
    """By hand: without pauses, the last job ends when all tiles are done."""
    load = Load(86400 * CPU.tiles * 2, jobs=20)
    outcome = Day(load, [CPU], 1).play()
    last = outcome.series[-1][0]
    assert outcome.busy / outcome.paid > 0.8
    assert outcome.busy == pytest.approx(2 * 86400 + 20 * 5, rel=0.03)
    assert last > 1.9 * 86400


def test_more_workers_wait_less_and_cost_more() -> None:
    few, many = (Day(Load(1e7, jobs=60), [CPU], fleet).play() for fleet in (2, 40))
    assert quantile(many.waits, 0.95) < quantile(few.waits, 0.95) / 10
    assert many.cost > 5 * few.cost


def test_lost_machines_cost_more_seconds_of_work(rule: Rule) -> None:
    calm, stormy = (
        Day(Load(1e7, jobs=60), [replace(CPU, losses=losses)], rule).play()
        for losses in (0.0, 10.0)
    )
    assert stormy.lost > calm.lost + 20
    assert stormy.paid > calm.paid


def test_quantiles() -> None:
    assert [quantile([1.0, 2.0, 3.0, 4.0], share) for share in (0.25, 0.5, 0.95, 1)] == [1, 2, 4, 4]
    assert not math.isnan(quantile([], 0.5))
