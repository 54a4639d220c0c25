"""The tiles of all scenes: which the model gets right, and which are witnesses together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geogaze.audit.balance import Floats
from geogaze.audit.measuring import Measured

_FEW = 5  # scenes: with fewer, their blocks are drawn
_BLOCKS = 4  # along each side of a scene


def groups_of(sites: Sequence[Measured], places: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Which scene tiles (n,) are from, or which block of one where scenes are few.

    Args:
        sites: the scenes.
        places: of each, rows and columns (m, 2) of the tiles in question.
    """
    if len(sites) >= _FEW:
        counts = [len(at) for at in places]
        return np.repeat(np.arange(len(sites)), counts)
    found = []
    for number, (site, at) in enumerate(zip(sites, places, strict=True)):
        block = at * _BLOCKS // np.maximum(site.shape, 1)
        found.append((number * _BLOCKS + block[:, 0]) * _BLOCKS + block[:, 1])
    return np.concatenate(found)


@dataclass(frozen=True)
class Samples:
    """Tiles of all scenes (n,): ``shows`` an object, ``empty`` of any, ``called`` the class by the
    model, the ``area`` of objects, the ``groups`` of witnesses.
    """

    shows: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    called: NDArray[np.bool_]
    area: Floats
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, sites: Sequence[Measured], target: int) -> Samples:
        """The tiles of some scenes."""
        return cls(
            np.concatenate([site.shows for site in sites]),
            np.concatenate([site.empty for site in sites]),
            np.concatenate([site.present[:, target] for site in sites]),
            np.concatenate([site.area for site in sites]),
            groups_of(sites, [site.places for site in sites]),
        )

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Tiles that show an object and are called so."""
        return self.shows & self.called

    @property
    def sorts(self) -> dict[str, NDArray[np.bool_]]:
        """Tiles by what the model makes of them."""
        return {
            "right": self.right,
            "missed": self.shows & ~self.called,
            "wrong": self.empty & self.called,
            "ground": self.empty,
        }
