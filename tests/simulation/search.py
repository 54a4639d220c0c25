"""Schedules one after another, until some violate what must hold."""

from __future__ import annotations

import gc
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulation.schedule import Schedule
from tests.simulation.trial import run

_COLLECT_EVERY = 200  # garbage is collected between schedules, and not while one runs

told_to_end = threading.Event()
"""Set by a signal: the schedule that runs is the last."""


@dataclass(frozen=True)
class Found:
    """What a search found: schedules by name, and what the last of them violates.

    ``seconds`` are of the processor, for so many ``schedules`` and their ``transactions``.
    """

    names: list[str]
    violation: str | None
    schedules: int
    transactions: int
    seconds: float


def search(
    seed: str,
    schedules: int,
    besides: tuple[str, ...],
    most: int,
    say: Callable[[str], None] = lambda line: None,
    *,
    first: int = 1,
    seconds: float = math.inf,
) -> Found:
    """Run so many schedules from the first, or until ``most`` have violated something, or for so
    many seconds of the processor, or until told to end.
    """
    with _on_one_core():
        return _search(seed, schedules, besides, most, say, first, seconds)


@contextmanager
def _on_one_core() -> Iterator[None]:
    """Keep to one core: of all threads one runs at a time, and finds there what it needs."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[os.getpid() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _search(
    seed: str,
    schedules: int,
    besides: tuple[str, ...],
    most: int,
    say: Callable[[str], None],
    first: int,
    enough: float,
) -> Found:
    run(Schedule.of("warm"))  # statements are compiled once
    gc.collect()
    gc.freeze()
    gc.disable()
    names: list[str] = []
    violation: str | None = None
    began = time.process_time()
    count = transactions = 0
    while (
        count < schedules
        and len(names) < most
        and time.process_time() - began < enough
        and not told_to_end.is_set()
    ):
        name = f"{seed}-{first + count}"
        count += 1
        verdict = run(Schedule.of(name, besides))
        transactions += verdict.transactions
        if verdict.violation:
            names.append(name)
            violation = verdict.violation
            say(f"{name}: {violation}")
        if count % _COLLECT_EVERY == 0:
            gc.collect()
    seconds = time.process_time() - began
    gc.enable()
    gc.unfreeze()
    return Found(names, violation, count, transactions, seconds)
