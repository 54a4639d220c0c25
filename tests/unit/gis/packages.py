"""GeoPackages as jobs leave them: hotspots on a diagonal, with a corner that is empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import shapely

from geogaze.products.make.geopackage import GeoPackageWriter, Layer

CORNER = (430_000.0, 5_410_000.0)
"""Of the first one, in UTM zone 31."""
STEP, SIDE = 100.0, 60.0
COLUMNS = {
    "id": "TEXT",
    "class": "TEXT",
    "peak": "REAL",
    "row": "INTEGER",
    "p_it's: (a) \"?": "REAL",
}


def outlines(
    count: int, corner: tuple[float, float] = CORNER, step: float = STEP
) -> list[shapely.Polygon]:
    """On a diagonal to the north-east, each an L: its north-east quarter is missing."""
    side = step * SIDE / STEP
    found = []
    for i in range(count):
        x, y = corner[0] + i * step, corner[1] + i * step
        half = side / 2
        places = [(0, 0), (side, 0), (side, half), (half, half), (half, side), (0, side)]
        found.append(shapely.Polygon([(x + dx, y + dy) for dx, dy in places]))
    return found


def write_package(
    target: Path,
    shapes: list[shapely.Polygon],
    crs: str = "EPSG:32631",
    name: str = "hotspots",
) -> Path:
    """A layer of hotspots: every second one a ship, peaks from 0 up."""
    known = pyproj.CRS(crs)
    layer = Layer(name, "Hotspots of heat", COLUMNS)
    code = crs if crs.startswith("EPSG") else None
    with GeoPackageWriter(target, layer, known.to_wkt(), code) as file:
        rows = [
            (f"spot-{i}", "ship" if i % 2 else "it's a port", i / 10, i, None if i == 3 else i / 4)
            for i in range(len(shapes))
        ]
        file.add(np.array(shapes, dtype=object), rows)
    return target
