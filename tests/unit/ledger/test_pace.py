"""What is said of speed and time left, on made-up histories; the clock is theirs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from geogaze.ledger.pace import Mark, Pace

TILES = 1000


def told(history: Iterable[Mark], pace: Pace | None = None) -> Pace:
    pace = pace or Pace()
    for at, tiles in history:
        pace = pace.seen(at, tiles)
    return pace


def steady(begun: float, seconds: int, before: int, rate: int) -> list[Mark]:
    """A mark each second."""
    return [(begun + second, before + rate * second) for second in range(seconds + 1)]


def test_nothing_is_said_before_two_marks() -> None:
    assert Pace().rate(5.0) is Pace().seconds_left(5.0, TILES) is None
    one = told([(5.0, 8)])
    assert one.rate(6.0) is one.seconds_left(6.0, TILES) is None
    assert one.seen(6.9, 16) is one  # too soon after


def test_a_steady_job_says_its_rate_and_what_is_left() -> None:
    pace = told(steady(100, 40, 10, 5))
    assert pace.rate(140.0) == pytest.approx(5)
    assert pace.seconds_left(140.0, TILES) == pytest.approx((TILES - 210) / 5)
    assert pace.seconds_left(141.5, TILES) == pytest.approx((TILES - 210) / 5 - 1.5)
    assert pace.seconds_left(140.0, 210) == 0


def test_what_came_before_the_first_batch_is_not_in_the_rate() -> None:
    """A job of 60 s, of which 20 went by until its first batch: 106 s were told to be left."""
    pace = told(steady(20.0, 10, 8, 4))
    assert pace.seconds_left(30.0, 48 + 4 * 44) == pytest.approx(44)


def test_tiles_of_an_earlier_job_are_not_in_the_rate() -> None:
    pace = told(steady(0.0, 10, 900, 2))
    assert pace.rate(10.0) == pytest.approx(2)
    assert pace.seconds_left(10.0, TILES) == pytest.approx(80 / 2)


@pytest.mark.parametrize(("before", "after"), [(1, 10), (10, 1)])
def test_half_a_minute_after_a_change_the_rate_is_the_new_one(before: int, after: int) -> None:
    slow = steady(0.0, 300, 0, before)
    pace = told([*slow, *steady(300.0, 34, slow[-1][1], after)])
    assert pace.rate(334.0) == pytest.approx(after)
    assert len(pace.marks) < 20


def test_several_workers_add_up() -> None:
    one, two = steady(0.0, 40, 0, 3), steady(0.5, 40, 0, 4)
    events = sorted([*((at, 0, n) for at, n in one), *((at, 1, n) for at, n in two)])
    done, history = [0, 0], []
    for at, who, count in events:
        done[who] = count
        history.append((at, sum(done)))
    assert told(history).rate(40.5) == pytest.approx(7, rel=0.05)


def test_a_stall_is_told_as_nothing() -> None:
    pace = told(steady(0.0, 40, 0, 5))
    assert pace.rate(69.0) == pytest.approx(5)
    assert pace.seconds_left(69.0, TILES) == pytest.approx(800 / 5 - 2)
    assert pace.rate(71.0) is pace.seconds_left(71.0, TILES) is None


def test_slow_batches_are_no_stall() -> None:
    pace = told([(90.0 * batch, 16 * batch) for batch in range(5)])
    assert pace.rate(360.0 + 200) == pytest.approx(16 / 90)
    assert pace.seconds_left(400.0, 64 + 160) == pytest.approx(900 - 40)
    assert pace.rate(360.0 + 271) is None


@pytest.mark.parametrize("hours", [1, -1])
def test_a_job_that_goes_on_later_begins_anew(hours: int) -> None:
    """Or one whose database's clock was put back."""
    begun = 40.0 + hours * 3600
    again = told(steady(begun, 10, 220, 2), told(steady(0.0, 40, 0, 5)))
    assert again.rate(begun + 10) == pytest.approx(2)


def test_tiles_that_were_taken_back_leave_the_rate_as_it_was() -> None:
    first = steady(0.0, 20, 0, 5)
    pace = told([*first, *steady(22.0, 4, 60, 5)])  # forty were of a worker that was lost
    assert pace.rate(26.0) == pytest.approx(5, rel=0.15)
    assert pace.seconds_left(26.0, TILES) == pytest.approx((TILES - 80) / 5, rel=0.15)


def test_without_a_tile_there_is_no_rate() -> None:
    assert told([(0.0, 5), (10.0, 5)]).rate(10.0) is None


def test_marks_survive_json() -> None:
    pace = told(steady(0.5, 9, 0, 5))
    assert Pace.of([[at, tiles] for at, tiles in pace.marks]) == pace
    assert Pace.of(None) == Pace()
