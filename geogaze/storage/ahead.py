"""Fetching what comes next while what has come is being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 8
_THREADS = 4

Item = TypeVar("Item")
Found = TypeVar("Found")


def ahead(load: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """What ``load`` makes of items, in order, a few of them before they are asked for."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="ahead") as pool:
        waiting: deque[Future[Found]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(load, item))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
