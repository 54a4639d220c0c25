"""A hostile thing by its name: how it is made, and what is to be answered to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REFUSED = frozenset({"SceneUnreadable", "SceneUnusable"})
HARMLESS = frozenset({"taken"})
EITHER = REFUSED | HARMLESS


@dataclass(frozen=True)
class Case:
    """A file that somebody sends.

    Attributes:
        name: what is wrong with it.
        file: what it is called.
        make: writes it to a path.
        answers: names of the errors that are right, or ``taken`` where it does no harm.
        said: a part of what its sender is told.
    """

    name: str
    file: str
    make: Callable[[Path], object]
    answers: frozenset[str] = REFUSED
    said: str = ""


def raw(data: bytes) -> Callable[[Path], object]:
    """A file of these bytes."""
    return lambda path: path.write_bytes(data)
