"""What a schedule did, line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulation.clock import Clock


class Trace:
    """A log of the code under test, by virtual time and process."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.clock: Clock | None = None
        self._say = say

    def __getattr__(self, level: str) -> Callable[..., None]:
        def tell(_what: str, **words: Any) -> None:
            clock = self.clock
            at = clock.seconds if clock else 0.0
            process = clock.running.process if clock else None
            if process and not process.alive:
                return
            told = " ".join(f"{name}={_short(value)}" for name, value in words.items())
            self._say(f"{at:7.2f} s  {process.name if process else '':14} {_what:20} {told}")

        return tell


def _short(value: object) -> str:
    text = str(value)
    return text[:8] if len(text) == 36 and text.count("-") == 4 else text[:160]
