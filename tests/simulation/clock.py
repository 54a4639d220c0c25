"""One virtual clock: of all threads of control one runs at a time, in an order that a seed decides.

Real code blocks where it waits, so each of its threads is a thread here too; but all wait for a
baton, and whoever begins to wait passes it on to what is due next. Nothing depends on the machine:
the same seed takes the same steps.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

TICK = 675 / 8192
"""Seconds between any two moments. SQLite computes seconds from Julian days: of whole ticks it does
so exactly, and two moments may be equal."""

_JULIAN_1970 = 2440587.5
_IDLE: list[_Carrier] = []


class Killed(BaseException):
    """Whatever runs in this process ends here, as if it had never gone on."""


class Stuck(Exception):
    """All wait, and nothing is due."""


class Process:
    """What is killed, or frozen, as a whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen_until = 0
        self.strands: list[Strand] = []
        self.in_hand: dict[Any, Any] = {}  # claims by their tokens
        self.lanes: Any = None
        self.worker: Any = None
        self.leaving = False
        self.gone = False  # the machine with it: who takes its place has another name


class Strand:
    """A thread of control."""

    def __init__(self, process: Process | None, run: Callable[[], Any]) -> None:
        self.process = process
        self.run = run
        self.ended = False
        self.ticket = 0  # wakings with an older one are void
        self.thread: Any = None  # as the code under test sees it
        self.joined: list[Strand] = []
        self.carrier: _Carrier | None = None
        self.committed = 0.0  # when its last transaction was
        self.doing = ""  # the operation on a claim that it is at


class _Carrier:
    """A thread of the system's that carries one strand after another."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.turn.acquire()
        self.work: Callable[[], None] = lambda: None

    def run(self) -> None:
        while True:
            self.turn.acquire()
            self.work()


class Clock:
    """The moment, what is due when, and who runs.

    Args:
        chance: decides between what is due at the same moment.
        on_crash: told of what a strand ended with, if not of being killed.
    """

    def __init__(
        self, chance: random.Random, on_crash: Callable[[Strand, BaseException], None]
    ) -> None:
        self.ticks = 0
        self.running = self._maker = Strand(None, lambda: None)
        self._maker.carrier = _Carrier()
        self.stuck = False
        self._chance = chance
        self._on_crash = on_crash
        self._serial = count()
        self._due: list[tuple[int, float, int, Any, int]] = []

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self.ticks * TICK

    def julian(self, *_: object) -> float:
        """What SQLite takes for the day."""
        return _JULIAN_1970 + self.ticks / 2**20

    def at(self, ticks: int, what: Callable[[], None]) -> None:
        """Have something done at a moment; it must not wait."""
        self._push(ticks, what, 0)

    def start(self, process: Process | None, run: Callable[[], Any]) -> Strand:
        """Begin a strand, as soon as it is its turn."""
        strand = Strand(process, run)
        if process:
            process.strands.append(strand)
        self.wake(strand)
        return strand

    def wake(self, strand: Strand) -> None:
        """Let a strand go on that waits."""
        strand.ticket += 1
        self._push(self.ticks, strand, strand.ticket)

    def wait(self, ticks: int | None) -> None:
        """Wait until woken, but no longer than this; for 0 ticks, let others go first perhaps."""
        me = self.running
        self.check(me)
        me.ticket += 1
        if ticks is not None:
            self._push(self.ticks + ticks, me, me.ticket)
        following = self._next()
        if following is not me:
            self._hand_to(following)
            assert me.carrier
            me.carrier.turn.acquire()
        if self.stuck:
            raise Stuck
        self.check(me)

    def check(self, strand: Strand | None = None) -> None:
        """Raise Killed where the process that runs has been killed."""
        process = (strand or self.running).process
        if process and not process.alive:
            raise Killed

    def kill(self, process: Process) -> None:
        """Let nothing of a process do a thing more."""
        if process.alive:
            process.alive = False
            process.frozen_until = 0
            for strand in process.strands:
                if not strand.ended:
                    self.wake(strand)

    def _push(self, ticks: int, what: Any, ticket: int) -> None:
        order = self._chance.random()
        heapq.heappush(self._due, (ticks, order, next(self._serial), what, ticket))

    def _next(self) -> Strand:
        while self._due:
            ticks, _, _, what, ticket = heapq.heappop(self._due)
            if not isinstance(what, Strand):
                self.ticks = ticks
                what()
                continue
            if what.ended or what.ticket != ticket:
                continue
            if what.process and what.process.frozen_until > ticks:
                self._push(what.process.frozen_until, what, ticket)
                continue
            self.ticks = ticks
            return what
        self.stuck = True
        return self._maker

    def _hand_to(self, strand: Strand) -> None:
        if strand.carrier is None:
            if _IDLE:
                strand.carrier = _IDLE.pop()
            else:
                strand.carrier = _Carrier()
                threading.Thread(target=strand.carrier.run, daemon=True, name="strand").start()
            strand.carrier.work = lambda: self._carry(strand)
        self.running = strand
        strand.carrier.turn.release()

    def _carry(self, strand: Strand) -> None:
        try:
            self.check(strand)
            strand.run()
        except Killed:
            pass
        except BaseException as error:
            self._on_crash(strand, error)
        strand.ended = True
        for waiting in strand.joined:
            self.wake(waiting)
        assert strand.carrier
        _IDLE.append(strand.carrier)
        self._hand_to(self._next())


def ticks_of(seconds: float) -> int:
    """Whole ticks that last so long at least, and one in any case."""
    return max(1, math.ceil(seconds / TICK - 1e-9))
