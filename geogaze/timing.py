"""Where a process's time goes: seconds by the part of a job that they were spent on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Spent:
    """Seconds spent on a part, of all threads together: on the clock, and by a processor."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass
class _Open:
    """A part that a thread is at, and what parts inside it took, which does not count as its."""

    name: str
    inner: Spent = field(default_factory=Spent)


class Timing:
    """Adds up the parts of a process's work. Threads share it.

    Args:
        wall: a clock, seconds.
        cpu: processor seconds of the calling thread.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._lock = threading.Lock()
        self._here = threading.local()
        self._parts: dict[str, Spent] = {}

    def add(self, name: str, wall: float, cpu: float = 0.0) -> None:
        """Count seconds that were measured elsewhere."""
        with self._lock:
            spent = self._parts.setdefault(name, Spent())
            spent.wall += wall
            spent.cpu += cpu

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count what this thread does meanwhile as a part; a part inside it counts for itself."""
        stack: list[_Open] = self._here.__dict__.setdefault("stack", [])
        mine = _Open(name)
        stack.append(mine)
        wall, cpu = self._wall(), self._cpu()
        try:
            yield
        finally:
            took = Spent(self._wall() - wall, self._cpu() - cpu)
            stack.pop()
            self.add(name, took.wall - mine.inner.wall, took.cpu - mine.inner.cpu)
            if stack:
                stack[-1].inner.wall += took.wall
                stack[-1].inner.cpu += took.cpu

    def parts(self) -> dict[str, Spent]:
        """What was counted so far, by part."""
        with self._lock:
            return {name: Spent(spent.wall, spent.cpu) for name, spent in self._parts.items()}

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._parts.clear()


TIMING = Timing()
"""The process's own."""

timed = TIMING.timed
