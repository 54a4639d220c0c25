"""Which picture shows a job as far as it is."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from geogaze.ledger.store import Ledger

SO_FAR = "so-far.png"
"""The picture's name beside the other objects of a part."""


class SoFar(NamedTuple):
    """A picture: the ``key`` of its object, and the ``tiles`` that it shows."""

    key: str
    tiles: int


def so_far(ledger: Ledger, job_id: UUID) -> SoFar | None:
    """The picture that shows most of a job; None before its first unit is done.

    Raises:
        JobNotFound: there is no such job.
    """
    parts = ledger.parts(job_id, "explain")
    shown = [SoFar(part.prefix + SO_FAR, part.result.get("so_far", 0)) for part in parts]
    most = max(shown, key=lambda one: one.tiles, default=None)
    return most if most and most.tiles else None
