"""What is known of a job that is being finished, or is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JobRecord:
    """A job and what it has made.

    Attributes:
        id: the job's.
        created: when it was accepted, seconds since 1970.
        assets: by name, in the order of results: ``file``, ``type``, ``size``, ``sha256``.
        calibration: by layer: ``scale``, ``peak`` and ``statistics`` of its heat.
        ran: what the network's trunk was run by: ``runtime``, ``precision`` and, where lower ones
            than fp32 were tried, how each agreed with it; more than one where workers differ.
        routes: how gradients were had, see :mod:`geogaze.evidence.routes`.
    """

    id: str
    created: float
    assets: dict[str, dict[str, Any]]
    calibration: dict[str, dict[str, Any]]
    routes: list[str]
    ran: list[dict[str, Any]]

    @property
    def peak(self) -> float:
        """What is strong of raw evidence, of either sign and of all layers."""
        return max((made.get("peak", 0.0) for made in self.calibration.values()), default=0.0)
