"""Schedules one after another, until some violate what must hold."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.schedule import Schedule
from tests.simulation.trial import run

_COLLECT_EVERY = 200  # garbage is collected between schedules, and not while one runs


@dataclass(frozen=True)
class Found:
    """What a search found: schedules by name, and what the last of them violates.

    ``seconds`` are of the processor, for so many ``schedules``.
    """

    names: list[str]
    violation: str | None
    schedules: int
    seconds: float


def search(
    seed: str,
    schedules: int,
    besides: tuple[str, ...],
    most: int,
    say: Callable[[str], None] = lambda line: None,
) -> Found:
    """Run so many schedules, or until ``most`` have violated something."""
    run(Schedule.of("warm"))  # statements are compiled once
    gc.collect()
    gc.freeze()
    gc.disable()
    names: list[str] = []
    violation: str | None = None
    began = time.process_time()
    count = 0
    while count < schedules and len(names) < most:
        count += 1
        name = f"{seed}-{count}"
        if words := run(Schedule.of(name, besides)).violation:
            names.append(name)
            violation = words
            say(f"{name}: {words}")
        if count % _COLLECT_EVERY == 0:
            gc.collect()
    seconds = time.process_time() - began
    gc.enable()
    gc.unfreeze()
    return Found(names, violation, count, seconds)
