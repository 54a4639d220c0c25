"""What the code under test takes for ``threading`` and ``time``: strands and moments of a clock."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.simulation.clock import Clock, Strand, ticks_of


class _Waited:
    """What strands wait for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[Strand] = []

    def _wait(self, ticks: int | None) -> None:
        me = self._clock.running
        self._waiting.append(me)
        try:
            self._clock.wait(ticks)
        finally:
            if me in self._waiting:
                self._waiting.remove(me)

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for strand in waiting:
            self._clock.wake(strand)


class Event(_Waited):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._wake_all()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            self._wait(None if timeout is None else ticks_of(timeout))
        return self._is_set


class Condition(_Waited):
    """Also a lock, which nobody waits for: who runs is not interrupted while holding it."""

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        pass

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        until = None if timeout is None else self._clock.ticks + ticks_of(timeout)
        if timeout == 0.0:
            return predicate()
        while not (met := predicate()):
            if until is not None and self._clock.ticks >= until:
                break
            self._wait(None if until is None else until - self._clock.ticks)
        return met

    def notify_all(self) -> None:
        self._wake_all()


class Thread:
    def __init__(
        self,
        clock: Clock,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        daemon: bool | None = None,
        name: str = "",
    ) -> None:
        self._clock = clock
        self._run = lambda: target(*args)
        self.name = name
        self._strand: Strand | None = None

    def start(self) -> None:
        self._strand = self._clock.start(self._clock.running.process, self._run)
        self._strand.thread = self

    def is_alive(self) -> bool:
        return self._strand is not None and not self._strand.ended

    def join(self, timeout: float | None = None) -> None:
        strand = self._strand
        if strand and not strand.ended:
            strand.joined.append(self._clock.running)
            self._clock.wait(None if timeout is None else ticks_of(timeout))


def threading_of(clock: Clock) -> Any:
    """The module ``threading``, as far as it is used."""
    return SimpleNamespace(
        Event=lambda: Event(clock),
        Condition=lambda: Condition(clock),
        Lock=lambda: Condition(clock),
        Thread=lambda target, args=(), **others: Thread(clock, target, args, **others),
        current_thread=lambda: clock.running.thread,
        get_ident=lambda: id(clock.running),
    )


def time_of(clock: Clock) -> Any:
    """The module ``time``, likewise."""
    return SimpleNamespace(
        monotonic=lambda: clock.seconds,
        time=lambda: clock.seconds,
        sleep=lambda seconds: clock.wait(ticks_of(seconds)),
    )
