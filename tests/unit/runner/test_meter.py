"""A worker's seconds are its units' seconds, however many it has in hand."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from geogaze.runner.meter import Meter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_units_side_by_side_have_equal_shares(clock: Clock) -> None:
    meter, first, second = Meter(clock), uuid4(), uuid4()
    meter.begin(first)
    clock.now += 4  # alone
    meter.begin(second)
    clock.now += 6  # both
    assert (meter.seconds(first), meter.seconds(second)) == (4 + 3, 3)
    meter.end(first)
    clock.now += 2  # alone
    assert meter.seconds(second) == 3 + 2
    assert meter.seconds(first) == 0, "it has ended"
    meter.end(second)


def test_nobody_pays_for_idle_time(clock: Clock) -> None:
    meter, one = Meter(clock), uuid4()
    clock.now += 50
    meter.begin(one)
    clock.now += 1
    assert meter.seconds(one) == 1
    meter.end(one)
    clock.now += 50
    again = uuid4()
    meter.begin(again)
    clock.now += 2
    assert meter.seconds(again) == 2


def test_shares_add_up_to_the_time_at_work(clock: Clock) -> None:
    meter, open_units, paid = Meter(clock), list[UUID](), 0.0
    began = clock.now
    for step in range(40):
        clock.now += step % 7
        if len(open_units) < 3:
            open_units.append(uuid4())
            meter.begin(open_units[-1])
        else:
            ended = open_units.pop(step % 3)
            paid += meter.seconds(ended)
            meter.end(ended)
    paid += sum(map(meter.seconds, open_units))
    assert paid == pytest.approx(clock.now - began)
