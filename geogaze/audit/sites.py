"""Scenes with known objects, tile by tile as the network sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.audit.edits import Mask, Picture
from geogaze.config import Settings
from geogaze.processes.audit.kinds import OBJECTS
from geogaze.processes.audit.plan import AuditPlan, SitePlan
from geogaze.scene.outlined import Outlined
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_planned_scene
from geogaze.scene.view import SceneView

FAR_METRES = (5.0, 15.0, 40.0)
"""Ends of the bands of distance from objects; beyond the last is far."""

Place = tuple[int, int]
"""Row and column of a tile among the disjoint tiles of a scene."""


@dataclass(frozen=True)
class Tile:
    """A tile whose pixels are all known.

    ``picture`` (bands, T, T) float32 in 0..1; ``kinds`` (T, T) uint8, positions in the site's
    ``kinds``; ``bands`` (T, T) uint8, of distance from objects: 0 on them, then as
    :data:`FAR_METRES`.
    """

    place: Place
    picture: Picture
    kinds: NDArray[np.uint8]
    bands: NDArray[np.uint8]

    @property
    def objects(self) -> Mask:
        """Pixels of objects (T, T)."""
        return np.asarray(self.kinds == 0)


class Site:
    """An open scene and what lies on it; see :func:`open_site`.

    ``kinds`` are the names of what a pixel can be, objects first and the rest last; ``gsd`` is the
    side of a pixel in metres, ``rows`` and ``cols`` count the disjoint tiles.
    """

    def __init__(
        self, site: SitePlan, view: SceneView, plan: AuditPlan, on_tile: Callable[[], None]
    ) -> None:
        self.name, self.kinds = site.name, plan.kinds
        self.rows, self.cols, self.gsd = site.rows, site.cols, site.gsd
        self._view, self._size, self._on_tile = view, site.size, on_tile
        self._rescale, self._mean = site.scene.rescale, plan.bundle.mean
        self._areas = {
            kind: Outlined(site.areas[kind], site.working.transform) for kind in self.kinds[:-1]
        }
        self._margin = int(np.ceil(FAR_METRES[-1] / self.gsd))

    def tiles(self, places: Sequence[Place]) -> Iterator[Tile]:
        """The tiles of some places; those with unknown pixels are left out."""
        for row, col in places:
            self._on_tile()
            if (found := self._tile(row, col)) is not None:
                yield found

    def _tile(self, row: int, col: int) -> Tile | None:
        top, left, size = row * self._size, col * self._size, self._size
        pixels = self._view.read((top, left, top + size, left + size))
        if pixels.damage or not pixels.known.all():
            return None
        picture = pixels.shown(self._rescale, self._mean)
        kinds = np.full((size, size), len(self.kinds) - 1, np.uint8)
        for at in range(len(self.kinds) - 2, -1, -1):  # what is named first lies on top
            kinds[self._areas[self.kinds[at]].mask(top, left, size)] = at
        return Tile((row, col), picture, kinds, self._distances(top, left))

    def _distances(self, top: int, left: int) -> NDArray[np.uint8]:
        margin, size = self._margin, self._size
        wide = self._areas[OBJECTS].mask(top - margin, left - margin, size + 2 * margin)
        if not wide.any():
            return np.full((size, size), len(FAR_METRES) + 1, np.uint8)
        away = cv2.distanceTransform((~wide).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        metres = away[margin : margin + size, margin : margin + size] * self.gsd
        ends = np.array([0.0, *FAR_METRES])
        return np.searchsorted(ends, metres, side="left").astype(np.uint8)


@contextmanager
def open_site(
    plan: AuditPlan,
    at: int,
    settings: Settings,
    *,
    lenient: bool = True,
    on_tile: Callable[[], None] = lambda: None,
) -> Iterator[Site]:
    """Open a scene of an audit at the model's resolution.

    Args:
        plan: the audit's.
        at: which of its scenes.
        settings: as for any job.
        lenient: leave out tiles of blocks that cannot be read, rather than raise.
        on_tile: called before each tile that is read.

    Raises:
        GeogazeError: it is not what it was, or not to be had now.
    """
    site = plan.sites[at]
    policy = SourcePolicy.local() if plan.local else SourcePolicy.of(settings)
    with open_planned_scene(site.scene, policy, settings) as reader:
        view = SceneView(reader, site.scene, site.working, lenient=lenient)
        yield Site(site, view, plan, on_tile)
