"""Areas of a chip that a user draws: in its own place on the map, or in its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom
from shapely.geometry import mapping

from geogaze.config import Settings
from geogaze.errors import AoiOutsideScene
from geogaze.scene.aoi import MALFORMED, inside_mask, named_crs, polygons_of
from geogaze.scene.gdal import gdal_environment


def chip_area(
    area: dict[str, Any], path: Path, shape: tuple[int, int], settings: Settings
) -> NDArray[np.bool_]:
    """Pixels (h, w) of a chip whose centre lies in an area.

    Args:
        area: GeoJSON polygons, in longitude and latitude or the ``crs`` they name; of a chip that
            has no place on the map, in its columns and rows, from its upper left corner.
        path: the chip's file.
        shape: its rows and columns.
        settings: GDAL's limits.

    Raises:
        AoiOutsideScene: it is no area, or holds no pixel of the chip.
    """
    transform, crs = _place(path, settings)
    try:
        polygons = dict(mapping(shapely.union_all(shapely.make_valid(polygons_of(area)))))
        if crs:
            polygons = transform_geom(named_crs(area), crs, polygons)
        inside = inside_mask(polygons, transform, shape)
    except MALFORMED as error:
        raise AoiOutsideScene(
            f"The area is not polygons ({error}). It takes GeoJSON, WKT, GeoPackage, shapefile "
            "or FlatGeobuf."
        ) from error
    if not inside.any():
        told = (
            f"in {named_crs(area)}" if crs else "in columns and rows, as it has no place on Earth"
        )
        raise AoiOutsideScene(
            f"The area holds no pixel of {path.name}, {shape[1]} × {shape[0]}; it is read {told}."
        )
    return inside


def _place(path: Path, settings: Settings) -> tuple[Affine, str | None]:
    """Where a file's pixels lie, and in which CRS; those of a picture lie at their own numbers."""
    with gdal_environment(settings):
        try:
            with rasterio.open(path, driver="GTiff") as dataset:
                if dataset.crs:
                    return dataset.transform, dataset.crs.to_wkt()
        except RasterioError:
            pass  # no GeoTIFF: a picture
    return Affine.identity(), None
