"""What jobs take of workers, as it is told: no database here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CPU = "cpu"
"""The device of a worker without a GPU."""


@dataclass(frozen=True)
class Effort:
    """What an attempt at a unit took of a worker.

    Attributes:
        device: what the worker's networks run on: ``cpu``, or the name of a GPU.
        seconds: of the worker, of whose time units in hand side by side have equal shares.
        cores: that the worker may use.
    """

    device: str
    seconds: float
    cores: int


@dataclass(frozen=True)
class Spent:
    """What workers on one kind of device spent on a phase of a job, attempts that failed included.

    ``items`` are those that were done by it.
    """

    phase: str
    device: str
    items: int
    seconds: float
    core_seconds: float

    @property
    def gpu_seconds(self) -> float:
        """Seconds of a GPU, which a worker has for itself."""
        return 0.0 if self.device == CPU else self.seconds


@dataclass(frozen=True)
class Earlier:
    """A job that succeeded, all of whose items were its own.

    Attributes:
        plan: its plan, as it was kept.
        spent: on its phases.
        elapsed: seconds from its first unit's claim to its end.
        size: bytes of its products.
    """

    plan: dict[str, Any]
    spent: Sequence[Spent]
    elapsed: float
    size: int
