"""Small lattices of heat, and what GDAL makes of them in one go."""

from __future__ import annotations

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import shape

from geogaze.grid.lattice import Box, slices
from geogaze.grid.rectangles import Division
from geogaze.products.make.inputs import Heat

UTM = pyproj.CRS("EPSG:32631").to_wkt()
LEVEL = 0.5


def in_blocks(values: NDArray[np.float32], side: int) -> Heat:
    """Heat that is kept in squares of so many cells a side."""
    blocks = Division(*values.shape, side)
    boxes = tuple(map(blocks.rectangle, range(blocks.count)))

    def read(box: Box) -> NDArray[np.float32]:
        return values[slices(box)]

    return Heat(boxes, "job", 1.0, 1.0, read, read)


def blobs(rows: int, cols: int, seed: int, grain: int) -> NDArray[np.float32]:
    """Noise, averaged with its neighbours so often, two fifths of it above the level; some NaN."""
    rng = np.random.default_rng(seed)
    noise = rng.random((rows, cols))
    for _ in range(grain):
        near = np.pad(noise, 1, mode="edge")
        noise += near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]
        noise /= 5
    heat = np.clip(noise - np.quantile(noise, 0.6) + LEVEL, 0, 1).astype(np.float32)
    heat[rng.random(heat.shape) < 0.05] = np.nan
    return heat


def by_gdal(values: NDArray[np.float32]) -> list[shapely.Polygon]:
    """The whole layer polygonised at once, in lines of the lattice."""
    hot = (values >= LEVEL).astype(np.uint8)
    return [shape(polygon) for polygon, _ in shapes(hot, mask=hot == 1, connectivity=4)]


def sorted_outlines(polygons: object) -> list[shapely.Polygon]:
    """Polygons in one order, each written in one way."""
    every = [shapely.normalize(polygon) for polygon in polygons]  # type: ignore[attr-defined]
    return sorted(every, key=shapely.to_wkb)
