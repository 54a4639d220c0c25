"""Scenes with known objects, tile by tile as the network sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geogaze.audit.edits import Mask, Picture
from geogaze.config import Settings
from geogaze.errors import AoiOutsideScene, InvalidRequest
from geogaze.models.bundles import Bundle
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.scene.info import SceneInfo
from geogaze.scene.outlined import Outlined, located
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_planned_scene
from geogaze.scene.view import SceneView

Document = dict[str, Any]

OBJECTS, REST = "objects", "the rest"
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


@dataclass(frozen=True)
class Ground:
    """Where a scene's tiles lie: its CRS, the transform of its working pixels (col, row), and how
    many of them a tile's side has.
    """

    crs_wkt: str
    transform: Affine
    size: int


class Site:
    """An open scene and what lies on it; see :func:`open_site`.

    ``kinds`` are the names of what a pixel can be, objects first and the rest last; ``gsd`` is the
    side of a pixel in metres, ``rows`` and ``cols`` count the disjoint tiles.
    """

    def __init__(
        self, name: str, view: SceneView, plan: Plan, areas: Mapping[str, Any], size: int
    ) -> None:
        self.name, self.kinds = name, (*areas, REST)
        self.rows, self.cols = plan.working.height // size, plan.working.width // size
        self.gsd: float = plan.scene.pixel_metres * plan.scale
        self._view, self._plan, self._size = view, plan, size
        self._areas = {kind: Outlined(area, plan.working.transform) for kind, area in areas.items()}
        self._margin = int(np.ceil(FAR_METRES[-1] / self.gsd))
        self.ground = Ground(plan.scene.crs_wkt, plan.working.transform, size)

    def tiles(self, places: Sequence[Place] | None = None) -> Iterator[Tile]:
        """The tiles of these places, or all, row by row; those with unknown pixels are left out."""
        everywhere = ((row, col) for row in range(self.rows) for col in range(self.cols))
        for row, col in everywhere if places is None else places:
            if (found := self._tile(row, col)) is not None:
                yield found

    def _tile(self, row: int, col: int) -> Tile | None:
        top, left, size = row * self._size, col * self._size, self._size
        pixels = self._view.read((top, left, top + size, left + size))
        if pixels.damage or not pixels.known.all():
            return None
        picture = pixels.shown(self._plan.scene.rescale, self._plan.bundle.mean)
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
    scene: str, documents: Mapping[str, Document | None], bundle: Bundle, settings: Settings
) -> Iterator[Site]:
    """Open a scene at the model's resolution.

    Args:
        scene: its address.
        documents: GeoJSON of what lies on it by kind, objects first, see
            :func:`geogaze.audit.kinds.kinds_of`.
        bundle: the model.
        settings: as for any job.

    Raises:
        InvalidRequest: it is no use, what lies on it cannot be read, or it holds no whole tile.
    """
    asked: dict[str, Any] = {"scene": scene, "classes": [bundle.classes[0]], "overlap": 0}
    model = str(bundle.folder) if bundle.folder else bundle.name
    request = ExplainRequest.parse({**asked, "model": model, "gsd": bundle.gsd})
    plan = make_plan(request, settings, local=True)
    areas = {kind: _area(document, kind, plan.scene) for kind, document in documents.items()}
    policy = SourcePolicy.local()
    with open_planned_scene(plan.scene, policy, settings) as reader:
        view = SceneView(reader, plan.scene, plan.working, lenient=True)
        site = Site(PurePath(scene).stem, view, plan, areas, bundle.input_size)
        if not site.rows * site.cols:
            raise InvalidRequest(
                f"{scene} has {plan.working.height} × {plan.working.width} pixels at the "
                f"model's resolution; a tile has {bundle.input_size} × {bundle.input_size}."
            )
        yield site


def _area(document: Document | None, kind: str, scene: SceneInfo) -> Document | None:
    """The polygons of a document in the scene's CRS; None where there are none.

    Raises:
        InvalidRequest: it is no GeoJSON, or all objects lie elsewhere, which is another scene's
            file. Other ground need not be in every scene.
    """
    try:
        area = located(document, scene)
    except AoiOutsideScene as error:
        raise InvalidRequest(f"The polygons of {kind} do not fit {scene.uri}: {error}") from error
    if area is None and kind == OBJECTS and document and document.get("features") != []:
        raise InvalidRequest(
            f"The polygons of {kind} do not fit {scene.uri}: all of them lie outside of it."
        )
    return area
