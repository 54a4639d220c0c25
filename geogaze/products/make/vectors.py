"""Hotspots in other formats than a job leaves them in: GeoJSON and FlatGeobuf."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import ProjError

from geogaze.errors import InvalidRequest
from geogaze.extras import need
from geogaze.products.make.hotspot_files import (
    Names,
    columns_of,
    rows_of,
    write_geopackage,
    write_geoparquet,
)
from geogaze.products.make.hotspots import Hotspots
from geogaze.products.make.parquet import Kind

Write = Callable[[Iterable[Hotspots], Names, Path, str, str | None], None]
"""Writes all hotspots: with the names of layers and classes, to a file, with their CRS as WKT and
its code, if it has one."""

_DEGREES = 9  # decimals: a tenth of a millimetre
_NO_DEGREES = (
    "GeoJSON is in longitude and latitude, which these layers have not; choose --format gpkg."
)


def _geoparquet(
    hotspots: Iterable[Hotspots], names: Names, target: Path, crs_wkt: str, code: str | None
) -> None:
    write_geoparquet(hotspots, names, target, crs_wkt)


def _geojson(
    hotspots: Iterable[Hotspots], names: Names, target: Path, crs_wkt: str, code: str | None
) -> None:
    """In longitude and latitude, as RFC 7946 wants it."""
    try:
        there = pyproj.Transformer.from_crs(crs_wkt, "OGC:CRS84", always_xy=True)
    except ProjError as error:  # of another world
        raise InvalidRequest(_NO_DEGREES) from error
    between = ""
    with target.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for some in hotspots:
            placed = shapely.transform(
                some.outline,
                lambda at: np.stack(there.transform(*at.T), axis=1).round(_DEGREES),
            )
            if not np.isfinite(shapely.bounds(placed)).all():
                raise InvalidRequest(_NO_DEGREES)
            told = rows_of(some, names)
            for geometry, row in zip(shapely.to_geojson(placed), told, strict=True):
                properties = json.dumps(dict(zip(names.fields, row, strict=True)))
                file.write(
                    f'{between}\n{{"type": "Feature", "geometry": {geometry}, '
                    f'"properties": {properties}}}'
                )
                between = ","
        file.write("\n]}\n")


def _flatgeobuf(
    hotspots: Iterable[Hotspots], names: Names, target: Path, crs_wkt: str, code: str | None
) -> None:
    """By GDAL, which takes all of them at once."""
    need("pyogrio", "vectors", "Writing FlatGeobuf")
    import pyogrio

    outlines: list[bytes] = []
    kinds = names.fields
    columns: dict[str, list[object]] = {name: [] for name in kinds}
    for some in hotspots:
        outlines += shapely.to_wkb(some.outline).tolist()
        for name, values in columns_of(some, names).items():
            columns[name] += list(values)
    types = {Kind.TEXT: object, Kind.INT32: np.int32, Kind.FLOAT: np.float32}
    pyogrio.raw.write(
        target,
        geometry=np.array(outlines, dtype=object),
        field_data=[
            np.array(values, dtype=types.get(kinds[name], np.float64))
            for name, values in columns.items()
        ],
        fields=list(kinds),
        geometry_type="Polygon",
        crs=code or crs_wkt,
        driver="FlatGeobuf",
        layer="hotspots",
    )


FORMATS: dict[str, Write] = {
    "gpkg": write_geopackage,
    "parquet": _geoparquet,
    "geojson": _geojson,
    "fgb": _flatgeobuf,
}
"""Formats by their files' suffixes."""
