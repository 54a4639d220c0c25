"""Units side by side, and how their threads end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Stopped


class Work:
    """A worker whose units wait until they are let go; ``end`` is what a unit ends with."""

    def __init__(self) -> None:
        self.begun: list[UUID] = []
        self.ended: list[UUID] = []
        self.go = threading.Semaphore(0)
        self.stopping = threading.Event()
        self.stuck = False
        self.leave_behind: dict[UUID, Callable[[], None]] = {}
        self.follows: list[UUID] = []
        self.end: Callable[[], None] = lambda: None

    def run(self, unit: UUID, on_left_behind: Callable[[threading.Thread], None]) -> bool:
        lane = threading.current_thread()
        self.leave_behind[unit] = lambda: on_left_behind(lane)
        self.begun.append(unit)
        while not self.go.acquire(timeout=0.01):
            if self.stopping.is_set() and not self.stuck:
                raise Stopped
        self.end()
        self.ended.append(unit)
        return True

    def following(self, claim: bool) -> UUID | None:
        return self.follows.pop() if self.follows else None

    def stop(self) -> None:
        self.stopping.set()


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    try:
        yield work
    finally:  # whatever a test found, its threads end
        work.stuck = False
        work.stop()
        work.go.release(1000)


@pytest.fixture
def make(work: Work) -> Iterator[Callable[..., Lanes]]:
    """Lanes for ``work``."""
    made: list[Lanes] = []

    def lanes(count: int, **options: Any) -> Lanes:
        made.append(Lanes(work, count, **options))  # type: ignore[arg-type]
        return made[-1]

    try:
        yield lanes
    finally:
        work.stuck = False
        for one in made:
            one.close(0, 5)


def give(lanes: Lanes, work: Work) -> tuple[UUID, threading.Thread]:
    """Give a unit on a thread of its own, and wait until it has begun."""
    unit = uuid4()

    def take() -> None:
        with contextlib.suppress(
            KeyboardInterrupt, TimeoutError, Stopped
        ):  # what a test ends lanes with
            lanes.take(unit)

    giving = threading.Thread(target=take, daemon=True)
    giving.start()
    eventually(lambda: unit in work.begun)
    return unit, giving


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_units_run_side_by_side_and_no_more_than_there_are_lanes(
    work: Work, make: Callable[..., Lanes]
) -> None:
    lanes = make(2)
    lanes.take(uuid4())  # another lane is free
    _, second = give(lanes, work)
    assert lanes.busy == 2
    second.join(0.05)
    assert second.is_alive(), "no lane is free for another"
    work.go.release()
    second.join(20)
    assert not second.is_alive()
    _, third = give(lanes, work)
    work.go.release(2)
    third.join(20)
    lanes.close(20)
    assert len(work.ended) == 3
    assert lanes.busy == 0
    assert lanes.ended == 3


def test_a_lane_that_follows_its_job_wakes_whoever_waits_for_work(
    work: Work, make: Callable[..., Lanes]
) -> None:
    # What a unit made due is for all lanes: a whole job's drawing was done on one of two.
    lanes = make(2)
    work.follows.append(uuid4())
    lanes.take(uuid4())
    ended = lanes.ended
    work.go.release()
    lanes.settle(ended, 20)
    assert lanes.ended > ended
    assert lanes.busy == 1, "its lane is at the next unit"


def test_closing_gives_units_time_to_end(work: Work, make: Callable[..., Lanes]) -> None:
    lanes = make(1)
    _, giving = give(lanes, work)
    threading.Timer(0.1, work.go.release).start()
    lanes.close(20)
    giving.join(20)
    assert len(work.ended) == 1


def test_closing_hands_back_what_takes_longer(work: Work, make: Callable[..., Lanes]) -> None:
    lanes = make(3)
    lanes.take(uuid4())
    lanes.take(uuid4())
    lanes.close(0.05)
    assert work.ended == []
    assert lanes.busy == 0


def test_closing_waits_no_longer_than_it_is_told_for_what_does_not_return(
    work: Work, make: Callable[..., Lanes]
) -> None:
    work.stuck = True
    lanes = make(2)
    lanes.take(uuid4())
    closing = threading.Thread(target=lanes.close, args=(0, 0.05), daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert lanes.busy == 1


def test_what_ends_a_lane_is_told_once_and_raised_where_units_are_given_out(
    work: Work, make: Callable[..., Lanes]
) -> None:
    broken: list[BaseException] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    work.end = interrupt
    lanes = make(2, on_broken=broken.append)
    lanes.take(uuid4())
    give(lanes, work)
    work.go.release(2)
    with pytest.raises(KeyboardInterrupt):
        lanes.settle(1, 20)
    with pytest.raises(KeyboardInterrupt):
        lanes.take(uuid4())
    eventually(lambda: lanes.busy == 0)
    assert [type(error) for error in broken] == [KeyboardInterrupt]


def test_being_told_to_stop_breaks_nothing(work: Work, make: Callable[..., Lanes]) -> None:
    broken: list[BaseException] = []
    lanes = make(2, on_broken=broken.append)
    lanes.take(uuid4())
    lanes.close()
    assert broken == []


def test_a_unit_that_is_left_behind_frees_its_lane(work: Work, make: Callable[..., Lanes]) -> None:
    lanes = make(1)
    work.stuck = True
    stuck, giving = give(lanes, work)
    (lane,) = [thread for thread in threading.enumerate() if thread.name == "lane"]
    assert (lanes.busy, giving.is_alive()) == (1, True)
    work.leave_behind[stuck]()
    giving.join(20)
    assert (lanes.busy, lanes.ended) == (0, 1)
    work.follows = [uuid4()]
    work.go.release()
    eventually(lambda: stuck in work.ended)
    lane.join(20)
    assert work.begun == [stuck], "it goes on with nothing, for it has no lane"
    assert lanes.busy == 0, "and ends no lane a second time"
    give(lanes, work)
    assert lanes.busy == 1


def test_too_many_that_are_left_behind_end_the_process(
    work: Work, make: Callable[..., Lanes]
) -> None:
    broken: list[BaseException] = []
    work.stuck = True
    lanes = make(1, on_broken=broken.append)
    for _ in range(9):
        assert not broken
        stuck, giving = give(lanes, work)
        work.leave_behind[stuck]()
        giving.join(20)
    assert len(broken) == 1
    with pytest.raises(TimeoutError):
        lanes.take(uuid4())


def test_settling_waits_for_the_next_unit_alone(work: Work, make: Callable[..., Lanes]) -> None:
    settled: list[int] = []
    lanes = make(2, on_settled=lambda: settled.append(threading.get_ident()))
    before = lanes.ended
    lanes.take(uuid4())
    lanes.settle(before, 0.05)
    assert lanes.ended == before, "it gave up waiting"
    work.go.release()
    eventually(lambda: lanes.ended == 1)
    settling = threading.Thread(target=lanes.settle, args=(before, 600), daemon=True)
    settling.start()  # it has ended already
    settling.join(20)
    assert not settling.is_alive()
    assert settled
    assert settled[0] != threading.get_ident()
