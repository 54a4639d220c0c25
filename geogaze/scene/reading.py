"""What a user says of how a scene is to be read, besides where it lies."""

from __future__ import annotations

from dataclasses import dataclass

MOST_FILES = 10_000
"""In one scene."""


@dataclass(frozen=True)
class Reading:
    """How to read a scene; what is None the scene says itself.

    ``crs`` is that of the scene's grid, and of files that say none (``EPSG:32618``). ``nodata`` is
    the value of missing pixels where a file declares none. ``assets`` are those of STAC Items, by
    name or common name: one with all the model's bands, or one for each.
    """

    crs: str | None = None
    nodata: float | None = None
    assets: tuple[str, ...] | None = None
