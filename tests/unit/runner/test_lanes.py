"""Units side by side, and how their threads end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Stopped


class Work:
    """A worker whose units wait until they are let go."""

    def __init__(self, end: Callable[[], None] = lambda: None) -> None:
        self.begun: list[UUID] = []
        self.ended: list[UUID] = []
        self.go = threading.Semaphore(0)
        self.stopping = threading.Event()
        self.end = end

    def run(self, unit: UUID) -> bool:
        self.begun.append(unit)
        while not self.go.acquire(timeout=0.01):
            if self.stopping.is_set():
                raise Stopped
        self.end()
        self.ended.append(unit)
        return True

    def following(self, claim: bool) -> None:
        """None: these units are their jobs' last."""

    def stop(self) -> None:
        self.stopping.set()


def lanes_of(work: Work, count: int, **options: Any) -> Lanes:
    return Lanes(work, count, **options)  # type: ignore[arg-type]


def give(lanes: Lanes, work: Work) -> threading.Thread:
    """Give a unit on a thread of its own, and wait until it has begun."""
    unit = uuid4()
    giving = threading.Thread(target=lanes.take, args=(unit,))
    giving.start()
    eventually(lambda: unit in work.begun)
    return giving


def eventually(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def test_units_run_side_by_side_and_no_more_than_there_are_lanes() -> None:
    work = Work()
    lanes = lanes_of(work, 2)
    lanes.take(uuid4())  # another lane is free
    second = give(lanes, work)
    assert lanes.busy == 2
    time.sleep(0.05)
    assert second.is_alive(), "no lane is free for another"
    work.go.release()
    second.join(5)
    assert not second.is_alive()
    third = give(lanes, work)
    work.go.release(2)
    third.join(5)
    lanes.close(5)
    assert len(work.ended) == 3
    assert lanes.busy == 0
    assert lanes.ended == 3


def test_closing_gives_units_time_to_end() -> None:
    work = Work()
    lanes = lanes_of(work, 1)
    giving = give(lanes, work)
    threading.Timer(0.1, work.go.release).start()
    lanes.close(5)
    giving.join(5)
    assert len(work.ended) == 1


def test_closing_hands_back_what_takes_longer() -> None:
    work = Work()
    lanes = lanes_of(work, 3)
    lanes.take(uuid4())
    lanes.take(uuid4())
    start = time.monotonic()
    lanes.close(0.05)
    assert time.monotonic() - start < 5
    assert work.ended == []
    assert lanes.busy == 0


def test_what_ends_a_lane_is_raised_where_units_are_given_out() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    work = Work(interrupt)
    lanes = lanes_of(work, 2)
    lanes.take(uuid4())
    work.go.release()
    with pytest.raises(KeyboardInterrupt):
        lanes.settle(0, 5)
    with pytest.raises(KeyboardInterrupt):
        lanes.take(uuid4())
    lanes.close()


def test_settling_waits_for_the_next_unit_alone() -> None:
    work = Work()
    settled: list[int] = []
    lanes = lanes_of(work, 2, on_settled=lambda: settled.append(threading.get_ident()))
    before = lanes.ended
    lanes.take(uuid4())
    start = time.monotonic()
    lanes.settle(before, 0.05)
    assert time.monotonic() - start >= 0.05
    work.go.release()
    eventually(lambda: lanes.ended == 1)
    start = time.monotonic()
    lanes.settle(before, 30)  # it has ended already
    assert time.monotonic() - start < 5
    assert settled
    assert settled[0] != threading.get_ident()
    lanes.close()
