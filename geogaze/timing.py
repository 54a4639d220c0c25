"""Where a process's time goes: seconds by the part of a job that they were spent on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ContextDecorator
from dataclasses import dataclass, field


@dataclass
class Spent:
    """Seconds spent on a part, of all threads together: on the clock, and by a processor."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass
class _Open:
    """A part that a thread is at: its clocks when it began, and what parts inside it took, which
    does not count as its own.
    """

    name: str
    wall: float
    cpu: float
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

    def timed(self, name: str) -> Timed:
        """Count what a thread does within this, or in a function that it decorates, as a part; a
        part inside it counts for itself.
        """
        return Timed(self, name)

    def begin(self, name: str) -> None:
        """This thread is at a part from now on."""
        stack: list[_Open] = self._here.__dict__.setdefault("stack", [])
        stack.append(_Open(name, self._wall(), self._cpu()))

    def end(self) -> None:
        """This thread has done the part that it began last."""
        stack: list[_Open] = self._here.stack
        mine = stack.pop()
        wall, cpu = self._wall() - mine.wall, self._cpu() - mine.cpu
        self.add(mine.name, wall - mine.inner.wall, cpu - mine.inner.cpu)
        if stack:
            stack[-1].inner.wall += wall
            stack[-1].inner.cpu += cpu

    def parts(self) -> dict[str, Spent]:
        """What was counted so far, by part."""
        with self._lock:
            return {name: Spent(spent.wall, spent.cpu) for name, spent in self._parts.items()}

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._parts.clear()


class Timed(ContextDecorator):
    """A part of the work, for any number of threads at once: it is open in each by itself.

    A class, since a generator's start and end take longer than some of what is timed.
    """

    def __init__(self, timing: Timing, name: str) -> None:
        self._timing, self._name = timing, name

    def __enter__(self) -> None:
        self._timing.begin(self._name)

    def __exit__(self, *_: object) -> None:
        self._timing.end()


TIMING = Timing()
"""The process's own."""

timed = TIMING.timed
