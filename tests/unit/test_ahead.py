"""Loading ahead: in order, not too far, and errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from geogaze.storage.ahead import _AHEAD, _THREADS, ahead, in_turn


def test_order_is_kept_whoever_is_quickest() -> None:
    def load(number: int) -> int:
        time.sleep(0.02 * (number % 3 == 0))
        return 10 * number

    assert list(ahead(load, range(30))) == [10 * number for number in range(30)]


def test_nothing_comes_of_nothing() -> None:
    assert list(ahead(str, [])) == []


def test_several_are_loaded_at_once_and_few_before_they_are_asked_for() -> None:
    begun: list[int] = []
    together = threading.Barrier(_THREADS)

    def load(number: int) -> int:
        begun.append(number)
        if number < _THREADS:
            together.wait(10)  # breaks if they come one by one
        return number

    found = ahead(load, range(1000))
    assert next(found) == 0
    time.sleep(0.1)
    assert len(begun) <= _AHEAD + 1
    for _ in range(5):
        next(found)
    time.sleep(0.1)
    assert len(begun) <= _AHEAD + 6
    found.close()  # type: ignore[attr-defined]
    told = len(begun)
    time.sleep(0.05)
    assert len(begun) == told < 20, "what was not begun is left"


def test_an_error_comes_in_its_turn() -> None:
    def load(number: int) -> int:
        if number == 3:
            raise LookupError("part 3 is gone")
        return number

    found: Iterator[int] = ahead(load, range(100))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="part 3"):
        next(found)
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]


def test_an_error_of_the_list_itself_comes_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(ahead(str, items()))


def test_a_shared_pool_serves_several_and_outlives_them() -> None:
    with ThreadPoolExecutor(2) as pool:
        tens, hundreds = (in_turn(pool, by.__mul__, range(9), 2) for by in (10, 100))
        pairs = list(zip(tens, hundreds, strict=True))
        assert pairs == [(10 * n, 100 * n) for n in range(9)]
        assert list(in_turn(pool, str, [1], 2)) == ["1"]


def test_who_leaves_early_leaves_nothing_at_work() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def make(number: int) -> int:
        if number == 1:
            begun.set()
            go_on.wait(10)
        done.append(number)
        return number

    with ThreadPoolExecutor(1) as pool:
        made = in_turn(pool, make, range(4), 2)
        assert next(made) == 0
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()
        made.close()  # type: ignore[attr-defined]
        assert done == [0, 1], "it waits for what is in hand, and begins no more"
