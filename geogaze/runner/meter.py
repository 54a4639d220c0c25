"""A worker's time, divided among the units that it has in hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID


class Meter:
    """Gives each unit an equal share of every second that it is in hand beside others.

    So the seconds of all units together are those in which the worker was at work, however many
    lanes it has. For many threads.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[UUID, float] = {}
        self._share = 0.0  # seconds that a unit would have which was there from the first
        self._seen = 0.0

    def begin(self, token: UUID) -> None:
        """Count for an attempt from now on."""
        with self._lock:
            self._go_on()
            self._begun[token] = self._share

    def seconds(self, token: UUID) -> float:
        """The share of an attempt so far; 0 once it has ended."""
        with self._lock:
            self._go_on()
            return self._share - self._begun.get(token, self._share)

    def end(self, token: UUID) -> None:
        """Count for an attempt no more."""
        with self._lock:
            self._go_on()
            self._begun.pop(token, None)

    def _go_on(self) -> None:
        now = self._clock()
        if self._begun:
            self._share += (now - self._seen) / len(self._begun)
        self._seen = now
