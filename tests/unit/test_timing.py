"""Seconds by part: what lies inside another part counts once."""

from __future__ import annotations

import threading

import pytest

from geogaze.timing import Spent, Timing


class Clocks:
    """Clocks that stand still unless they are moved."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def pass_by(self, wall: float, cpu: float) -> None:
        self.wall += wall
        self.cpu += cpu


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def timing(clocks: Clocks) -> Timing:
    return Timing(lambda: clocks.wall, lambda: clocks.cpu)


def test_parts_inside_parts_count_for_themselves(timing: Timing, clocks: Clocks) -> None:
    with timing.timed("draw"):
        clocks.pass_by(2, 1)
        with timing.timed("encode"):
            clocks.pass_by(5, 4)
            with timing.timed("draw"):
                clocks.pass_by(100, 50)
        clocks.pass_by(3, 3)
    assert timing.parts() == {"draw": Spent(105, 54), "encode": Spent(5, 4)}


def test_what_fails_took_its_time_too(timing: Timing, clocks: Clocks) -> None:
    @timing.timed("store")
    def store() -> None:
        clocks.pass_by(1, 1)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        store()
    with timing.timed("store"):
        clocks.pass_by(1, 0)
    assert timing.parts() == {"store": Spent(2, 1)}


def test_each_thread_has_parts_of_its_own(timing: Timing, clocks: Clocks) -> None:
    def other() -> None:
        with timing.timed("other"):
            clocks.pass_by(1, 1)

    with timing.timed("mine"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        clocks.pass_by(1, 1)
    assert timing.parts() == {"other": Spent(1, 1), "mine": Spent(2, 2)}


def test_seconds_that_were_measured_elsewhere_are_added(timing: Timing) -> None:
    timing.add("network", 2.5)
    timing.add("network", 1.0, 0.5)
    assert timing.parts() == {"network": Spent(3.5, 0.5)}
    timing.clear()
    assert timing.parts() == {}


def test_a_function_may_be_a_part(timing: Timing, clocks: Clocks) -> None:
    @timing.timed("read")
    def read(seconds: float) -> str:
        clocks.pass_by(seconds, seconds)
        return "read"

    assert read(1) == read(2) == "read"
    assert timing.parts() == {"read": Spent(3, 3)}


def test_one_part_is_open_in_several_threads_at_once(timing: Timing, clocks: Clocks) -> None:
    part, inside = timing.timed("draw"), threading.Barrier(3)

    def draw() -> None:
        with part:
            inside.wait(10)  # both are, before the clocks move
            inside.wait(10)

    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    clocks.pass_by(3, 1)
    inside.wait(10)
    for thread in threads:
        thread.join()
    assert timing.parts() == {"draw": Spent(6, 2)}
