"""Fetching what comes next while what has come is being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

_AHEAD = 8
_THREADS = 4

Item = TypeVar("Item")
Found = TypeVar("Found")


def ahead(load: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """What ``load`` makes of items, in order, a few of them before they are asked for."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="ahead") as pool:
        yield from in_turn(pool, load, items, _AHEAD)


def in_turn(
    pool: ThreadPoolExecutor, make: Callable[[Item], Found], items: Iterable[Item], most: int
) -> Iterator[Found]:
    """What ``make`` makes of items by a pool's threads, in order.

    Args:
        pool: may be at work for others, too.
        make: called by several threads at once.
        items: of what.
        most: how many wait to be made, or to be asked for.
    """
    waiting: deque[Future[Found]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)  # what they work with may be gone as soon as this has ended
