"""A broker that loses, doubles and reorders; its face is what the dispatcher uses of Celery."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from kombu.exceptions import OperationalError

from tests.simulation.clock import Clock, Process
from tests.simulation.threads import Event

_VISIBLE_AGAIN_TICKS = 400


class Broker:
    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.clock = clock
        self.chance = chance
        self.away_until = 0
        self.fates: deque[str] = deque()
        """Of the next messages."""
        self._queue: list[tuple[int, int, str]] = []
        self._sent = 0
        self._news = Event(clock)

    def empty(self) -> None:
        self._queue.clear()

    def shuffle(self) -> None:
        self.chance.shuffle(self._queue)

    def _ask(self) -> None:
        self.clock.wait(self.chance.randrange(2))
        if self.clock.running.process and self.clock.ticks < self.away_until:
            raise OperationalError("the broker is away")

    # What the dispatcher uses

    @contextmanager
    def connection_for_write(self) -> Iterator[Any]:
        self._ask()
        count = len(self._queue)
        declared = SimpleNamespace(message_count=count)
        yield SimpleNamespace(
            default_channel=SimpleNamespace(queue_declare=lambda *_, **__: declared)
        )

    def send_task(self, name: str, *, args: list[str], priority: int, **others: object) -> None:
        self._ask()
        fate = self.fates.popleft() if self.fates else "well"
        if fate == "late":
            arrives = self.clock.ticks + self.chance.randrange(10, 100)
            self.clock.at(arrives, lambda: self._put(args[0], priority))
        elif fate != "lost":
            self._put(args[0], priority)
        if fate == "doubled":
            self._put(args[0], priority)

    def _put(self, unit: str, level: int) -> None:
        self._sent += 1
        self._queue.append((level, self._sent, unit))
        self._news.set()

    # What a worker's child uses

    def take(self, process: Process) -> UUID:
        """The next message; if who takes it dies soon, it comes again."""
        while True:
            self._news._is_set = bool(self._queue)
            self._news.wait()
            self.clock.wait(self.chance.randrange(3))
            if process.leaving:
                self.clock.wait(None)
            if self._queue and self.clock.ticks >= self.away_until:
                break
            if self._queue:
                self.clock.wait(10)
        message = min(self._queue, key=lambda one: one[0])
        self._queue.remove(message)
        unit = message[2]
        if self.chance.random() < 0.5:  # it is not acknowledged before its process may die

            def again() -> None:
                if not process.alive:
                    self._put(unit, message[0])

            self.clock.at(self.clock.ticks + _VISIBLE_AGAIN_TICKS, again)
        return UUID(unit)
