"""How a picture of the scene is divided: into blocks of each resolution, and into units. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from geogaze.grid.rectangles import Division

BLOCK = 512
"""Side of a block of a picture, pixels, at any resolution."""

_COARSEST = 2  # a unit is at most one block at a quarter of the resolution: 2048 pixels a side
_FEWEST = 4  # units, so that lanes share a small scene


@dataclass(frozen=True)
class Canvas:
    """A picture of ``height`` × ``width`` pixels, drawn in units.

    Level 0 is full resolution, each further one half of it; a unit is one block of ``level``, and
    all finer blocks of it. How it is divided depends on its size alone, never on who draws.
    """

    height: int
    width: int

    @cached_property
    def level(self) -> int:
        """The level whose blocks are units."""
        level = 0
        while level < _COARSEST and self._divided(level + 1).count >= _FEWEST:
            level += 1
        return level

    @property
    def units(self) -> Division:
        """The pixels of each unit."""
        return self._divided(self.level)

    def _divided(self, level: int) -> Division:
        return Division(self.height, self.width, BLOCK << level)
