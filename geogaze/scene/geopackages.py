"""Polygons of a GeoPackage that anybody may have made, by Python's own SQLite.

A stranger's database may hold views, virtual tables and expressions that never end: nothing of a
file is run but what reads plain tables, and that for so long, and to so many bytes a value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

STARTS = b"SQLite format 3\0"
"""How the file begins."""

_HEADER = 8  # bytes of a geometry before its box
_BOXES = (0, 32, 48, 48, 64)  # bytes of a box, by how many axes it has
_WAL = slice(18, 20)  # of a file's header: 2 where its last writer kept a log beside it
_LONGEST = 64 * 2**20  # bytes of a value or a row
_MOST_STEPS = 100_000_000  # of SQLite's machine; a polygon takes some fifty
_STEPS_AT_ONCE = 100_000

_LAYERS = """SELECT g.table_name, g.column_name, g.srs_id FROM gpkg_geometry_columns g
  JOIN sqlite_master m ON m.name = g.table_name AND m.type = 'table'
  WHERE upper(m.sql) LIKE 'CREATE TABLE%'
  AND (upper(g.geometry_type_name) LIKE '%POLYGON' OR upper(g.geometry_type_name) = 'GEOMETRY')"""
_CRS = """SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys
  WHERE srs_id = ?"""


@dataclass(frozen=True)
class Outlines:
    """The polygons of a layer, and of each the value of a property, None without it.

    ``code`` is that of their CRS (``EPSG:32631``), None where it has none; ``wkt`` describes it.
    """

    geometries: list[Any]
    values: list[Any]
    code: str | None
    wkt: str | None


def outlines_of(source: Path | bytes, by: str | None = None) -> Outlines:
    """The one layer of polygons of a GeoPackage, a file or its bytes.

    Args:
        source: the GeoPackage.
        by: the property whose values are wanted.

    Raises:
        ValueError: it is none, or damaged; it has no such layer, or several; or the layer has no
            such property.
    """
    try:
        with _opened(source) as file:
            return _read(file, by)
    except (sqlite3.Error, shapely.errors.ShapelyError, IndexError, TypeError) as error:
        raise ValueError(f"it is no GeoPackage that can be read: {error}") from error


@contextmanager
def _opened(source: Path | bytes) -> Iterator[sqlite3.Connection]:
    if isinstance(source, bytes):
        whole = bytearray(source)
        whole[_WAL] = b"\1\1"  # what was in the log is not here
        connection = sqlite3.connect(":memory:")
        connection.deserialize(bytes(whole))
    else:
        address = f"{source.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True)
    with closing(connection) as file:
        file.execute("PRAGMA trusted_schema = OFF")
        file.execute("PRAGMA cell_size_check = ON")
        file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        file.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        steps = iter(range(_MOST_STEPS // _STEPS_AT_ONCE))
        file.set_progress_handler(lambda: next(steps, None) is None, _STEPS_AT_ONCE)
        yield file


def _read(file: sqlite3.Connection, by: str | None) -> Outlines:
    layers = file.execute(_LAYERS).fetchall()
    if len(layers) != 1:
        names = ", ".join(name for name, _, _ in layers)
        which = f"layers with polygons: {names}" if layers else "no layer with polygons"
        raise ValueError(f"it has {which}; save the one you mean by itself")
    ((name, column, srs),) = layers
    there = {told[1] for told in file.execute(f"PRAGMA table_info({_quoted(name)})")}
    if by is not None and by not in there:
        raise ValueError(f"its features have no property {by!r}")
    wanted = _quoted(by) if by is not None else "NULL"
    rows = file.execute(f"SELECT {_quoted(column)}, {wanted} FROM {_quoted(name)}")  # noqa: S608  quoted
    found = [(_geometry(blob), value) for blob, value in rows if blob is not None]
    organization, number, wkt = file.execute(_CRS, (srs,)).fetchone() or ("", 0, None)
    epsg = str(organization).upper() == "EPSG" and int(number) > 0
    return Outlines(
        geometries=[geometry for geometry, _ in found],
        values=[value for _, value in found],
        code=f"EPSG:{int(number)}" if epsg else None,
        wkt=None if srs in {0, -1} else wkt,
    )


def _geometry(blob: bytes) -> Any:
    geometry = shapely.from_wkb(blob[_HEADER + _BOXES[blob[3] >> 1 & 0b111] :])
    return shapely.make_valid(shapely.force_2d(geometry))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
