"""Seconds for work, learnt from what earlier work took."""

from __future__ import annotations

import pytest

from geogaze.processes.learning import learn


def foreseen(rates: tuple[float, ...], amounts: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(rates, amounts, strict=True))


def test_one_example_is_in_proportion_to_the_first_measure() -> None:
    assert learn([(10, 30, 1)], [5.0]) == (0.5, 0, 0)


def test_nothing_seen_foresees_nothing() -> None:
    assert learn([(1, 2)], [0.0]) == (0, 0)
    assert learn([], []) == ()


def test_further_measures_come_in_where_they_explain() -> None:
    amounts = [(100, 100), (100, 2100), (400, 8400)]
    took = [0.01 * tiles + 0.001 * values for tiles, values in amounts]
    assert learn(amounts, took) == pytest.approx((0.01, 0.001))


def test_noise_brings_no_measure_in() -> None:
    rates = learn([(100, 1), (200, 1), (400, 1)], [1.03, 1.96, 4.05])
    assert rates[1] == 0
    assert rates[0] == pytest.approx(0.01, rel=0.03)


def test_no_rate_is_negative() -> None:
    """By least squares alone the second would be: quicker, the more there is of it."""
    rates = learn([(100, 10), (100, 20), (200, 90)], [2.0, 1.5, 2.0])
    assert min(rates) >= 0


def test_short_examples_count_as_long_ones() -> None:
    rates = learn([(1, 1), (1000, 1)], [3.0, 1002.0])
    assert foreseen(rates, (1, 1)) == pytest.approx(3.0, rel=0.01)
    assert foreseen(rates, (1000, 1)) == pytest.approx(1002.0, rel=0.01)


def test_an_example_that_was_held_up_draws_the_others_nowhere() -> None:
    rates = learn([(10, 1), (100, 1), (200, 1), (300, 1)], [9.0, 1.0, 2.0, 3.0])
    assert rates == pytest.approx((0.01, 0))
