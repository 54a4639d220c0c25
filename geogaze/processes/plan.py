"""What the plans of all processes have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from geogaze.grid.rectangles import Division


class ProcessPlan(BaseModel, ABC):
    """All that units of work need to know, as JSON in the job's row.

    ``process`` is the id of the process that it is of. ``warnings`` are for the user.
    """

    model_config = ConfigDict(frozen=True)

    process: ClassVar[str]
    warnings: tuple[str, ...] = ()

    @property
    def units(self) -> dict[str, int]:
        """How many units phases have, by the phase's name; those not named have one."""
        return {}

    @property
    def grids(self) -> dict[str, Division]:
        """How the items of phases are divided into units, by the phase's name.

        Phases that are not named have nothing to count, and their units are not split.
        """
        return {}

    @property
    def skips(self) -> bool:
        """Whether an item that cannot be done is left out; else the job fails."""
        return False

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
