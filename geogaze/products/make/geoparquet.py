"""What a Parquet file says of its column ``geometry``, after GeoParquet 1.1.0."""

from __future__ import annotations

from typing import Any

import pyproj

from geogaze.version import VERSION


def geo(
    crs_wkt: str, bbox: list[float] | None, covering: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The file's entry ``geo``: polygons as well-known binary.

    Args:
        crs_wkt: their CRS, "" for none.
        bbox: around all of them, x and y of the lowest, then of the highest; None of none.
        covering: which other columns hold each one's box.
    """
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": pyproj.CRS(crs_wkt).to_json_dict() if crs_wkt else None,
        **({"bbox": bbox} if bbox else {}),
        **({"covering": covering} if covering else {}),
    }
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": column},
        "creator": {"library": "geogaze", "version": VERSION},
    }
