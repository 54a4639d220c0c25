"""Layers of GeoPackages that jobs have made, by Python's own SQLite and the index in the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import shapely
from shapely.errors import ShapelyError
from sqlalchemy import (
    TableClause,
    column,
    table,
)

from geogaze.errors import StorageUnavailable
from geogaze.filtering import Queryable

Bounds = tuple[float, float, float, float]
"""Least x and y, greatest x and y."""

_HEADER = 8  # bytes of a geometry before its box
_BOXES = (0, 32, 48, 48, 64)  # bytes of a box, by how many axes it has


@dataclass(frozen=True)
class Layer:
    """A table of features as its file describes it.

    Attributes:
        name: of the table.
        title: in words.
        columns: besides number and geometry: whether each holds text or numbers.
        geometry: the name of that column.
        crs_wkt: of the coordinates, which have easting or longitude first.
        code: of that CRS, such as ``EPSG:32631``; None where it has none.
        bounds: of all features; None where there are none.
        count: how many there are.
        indexed: whether there is an index by place that can be read here.
    """

    name: str
    title: str
    columns: Mapping[str, Literal["text", "number"]]
    geometry: str
    crs_wkt: str
    code: str | None
    bounds: Bounds | None
    count: int
    indexed: bool

    @cached_property
    def queryables(self) -> dict[str, Queryable]:
        """What filters may name, besides the geometry."""
        return {
            name: Queryable(self.rows.c[name], kind, name.replace("_", " "))
            for name, kind in self.columns.items()
        }

    @cached_property
    def rows(self) -> TableClause:
        """The table: number, geometry and columns."""
        return table(self.name, *map(column, ("fid", self.geometry, *self.columns)))

    @cached_property
    def boxes(self) -> TableClause:
        """The table of the index: the features' boxes by number."""
        axes = ("minx", "maxx", "miny", "maxy")
        return table(f"rtree_{self.name}_{self.geometry}", *map(column, ("id", *axes)))


def read_layer(path: Path) -> Layer:
    """What a file's layer is.

    Raises:
        StorageUnavailable: the file cannot be read.
    """
    with opened(path) as file:
        name, title, *box, geometry, srs = _only(
            file,
            "SELECT table_name, identifier, min_x, min_y, max_x, max_y, column_name, g.srs_id "
            "FROM gpkg_contents JOIN gpkg_geometry_columns g USING (table_name) "
            "WHERE data_type = 'features'",
        )
        crs = _named(file, "SELECT * FROM gpkg_spatial_ref_sys WHERE srs_id = ?", srs)
        told = file.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
        (count,) = _only(file, f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608  quoted
        (index,) = _only(
            file,
            "SELECT sqlite_compileoption_used('ENABLE_RTREE') AND EXISTS "
            "(SELECT 1 FROM sqlite_master WHERE name = ?)",
            f"rtree_{name}_{geometry}",
        )
    full = crs.get("definition_12_063", "undefined")  # an extension, for what WKT 1 cannot say
    numbered = crs["organization"].upper() == "EPSG"
    return Layer(
        name=name,
        title=title,
        columns={
            column: "text" if kind == "TEXT" else "number"
            for column, kind in told
            if column not in {"fid", geometry}
        },
        geometry=geometry,
        crs_wkt=crs["definition"] if full == "undefined" else full,
        code=f"EPSG:{crs['organization_coordsys_id']}" if numbered else None,
        bounds=None if box[0] is None else (box[0], box[1], box[2], box[3]),
        count=count,
        indexed=bool(index),
    )


def geometry_of(blob: bytes) -> shapely.Geometry:
    """A geometry as GeoPackage has it.

    Raises:
        StorageUnavailable: it is none.
    """
    try:
        return shapely.from_wkb(blob[_HEADER + _BOXES[blob[3] >> 1 & 0b111] :])
    except (IndexError, ShapelyError) as error:
        raise StorageUnavailable(f"A geometry cannot be read: {error}") from error


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A file that is read alone; products never change."""
    try:
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as file:
            yield file
    except sqlite3.DatabaseError as error:
        raise StorageUnavailable(f"{path.name} cannot be read: {error}") from error


def _only(file: sqlite3.Connection, query: str, *values: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = file.execute(query, values).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("it has no layer of features")
    return row


def _named(file: sqlite3.Connection, query: str, *values: Any) -> dict[str, Any]:
    """A row by the names of its columns."""
    cursor = file.execute(query, values)
    return dict(zip((told[0] for told in cursor.description), cursor.fetchone(), strict=True))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
