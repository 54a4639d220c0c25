"""What the plans of all processes have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pydantic import BaseModel, ConfigDict


class ProcessPlan(BaseModel, ABC):
    """All that units of work need to know, as JSON in the job's row.

    ``warnings`` are for the user.
    """

    model_config = ConfigDict(frozen=True)

    warnings: tuple[str, ...] = ()

    @property
    @abstractmethod
    def units(self) -> dict[str, int]:
        """How many units each phase has, by the phase's name."""

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int, int]:
        """Rows and columns of what the first phase does, and the side of a unit's square of it."""

    @property
    @abstractmethod
    def content(self) -> str:
        """What the first phase's parts depend on, as 32 hexadecimal digits.

        Jobs of one content use each other's parts.
        """

    @property
    @abstractmethod
    def products(self) -> frozenset[str]:
        """Names of the products that the job makes, and of their kinds (``heat-{class}``)."""

    def kept(self) -> dict[str, Any]:
        """The plan as the ledger keeps it, for workers that may be anywhere."""
        return self.model_dump(mode="json")

    def logged(self) -> dict[str, str]:
        """What the log says of an accepted job."""
        return {}
