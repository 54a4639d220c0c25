"""Polygons that lie on a scene, square by square."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import mapping, shape

from geogaze.errors import AoiOutsideScene
from geogaze.scene.aoi import inside_mask, locate, polygons_of
from geogaze.scene.info import SceneInfo


def located(document: dict[str, Any] | None, scene: SceneInfo) -> dict[str, Any] | None:
    """The polygons of a GeoJSON document in a scene's CRS; None where none of them lies on it.

    Raises:
        AoiOutsideScene: it is no GeoJSON of polygons.
    """
    if document is None or document.get("features") == []:
        return None
    try:
        return locate(document, scene)
    except AoiOutsideScene:
        if _of_polygons(document):
            return None
        raise


def _of_polygons(document: dict[str, Any]) -> bool:
    try:
        return bool(polygons_of(document))
    except (KeyError, TypeError, ValueError):
        return False


class Outlined:
    """Polygons in a scene's CRS.

    Args:
        area: GeoJSON, as :func:`geogaze.scene.aoi.locate` gives it; None for none.
        transform: working pixels (col, row) to that CRS.
    """

    def __init__(self, area: dict[str, Any] | None, transform: Affine) -> None:
        self._transform = transform
        parts = shapely.get_parts(shape(area)) if area else []
        self._tree = shapely.STRtree(parts)

    def mask(self, top: int, left: int, size: int) -> NDArray[np.bool_]:
        """Where a square of working pixels (size, size) is inside."""
        corner = self._transform @ Affine.translation(left, top)
        corners = [corner @ at for at in ((0, 0), (size, 0), (size, size), (0, size))]
        square = shapely.Polygon(corners)
        near = [
            self._tree.geometries[at].intersection(square) for at in self._tree.query(square)
        ]  # what touches the square shares lines with it, which would be drawn
        inside = [part for one in near for part in shapely.get_parts(one) if part.area > 0]
        if not inside:
            return np.zeros((size, size), bool)
        area = dict(mapping(shapely.union_all(inside)))
        return np.asarray(inside_mask(area, corner, (size, size)), dtype=bool)
