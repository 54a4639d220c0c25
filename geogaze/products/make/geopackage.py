"""Tables with polygons as GeoPackage 1.3: SQLite files that every GIS opens, by Python's sqlite3.

GDAL's vector side is a hundred megabytes that the light install leaves out; of the format, what is
written here is one table, its index by place, its CRS and its style for QGIS.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError

_APPLICATION = 0x47504B47  # "GPKG"
_VERSION = 10300
_NO_CODE = 100_000  # number of a CRS that no authority has numbered
_GEOMETRY = "geom"
_HEADER = struct.Struct("<2sBBi4d")  # of a geometry, before its well-known binary
_WITH_BOX = 0b11  # little-endian, with a box of x and y
_NO_TIME = "1970-01-01T00:00:00.000Z"  # the same work gives the same bytes
_OFTEN = {4326: "World Geodetic System 1984", 0: "undefined geographic", -1: "undefined Cartesian"}

_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
  description TEXT, definition_12_063 TEXT NOT NULL);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL,
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
  definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""
# QGIS's own; readers list it as a second table, so it is there only if it holds something.
_STYLES = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, f_table_catalog TEXT,
  f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT,
  styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT,
  update_time DATETIME)"""

_RTREE = "http://www.geopackage.org/spec130/#extension_rtree"
_CRS_WKT = "http://www.geopackage.org/spec130/#extension_crs_wkt"

# What keeps the index right when somebody edits the table; the text is the standard's.
_TRIGGERS = """
CREATE TRIGGER "{r}_insert" AFTER INSERT ON "{t}"
  WHEN (new."{g}" NOT NULL AND NOT ST_IsEmpty(NEW."{g}"))
BEGIN INSERT OR REPLACE INTO "{r}" VALUES (NEW."fid", ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"),
  ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;
CREATE TRIGGER "{r}_update1" AFTER UPDATE OF "{g}" ON "{t}"
  WHEN OLD."fid" = NEW."fid" AND (NEW."{g}" NOTNULL AND NOT ST_IsEmpty(NEW."{g}"))
BEGIN INSERT OR REPLACE INTO "{r}" VALUES (NEW."fid", ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"),
  ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;
CREATE TRIGGER "{r}_update2" AFTER UPDATE OF "{g}" ON "{t}"
  WHEN OLD."fid" = NEW."fid" AND (NEW."{g}" ISNULL OR ST_IsEmpty(NEW."{g}"))
BEGIN DELETE FROM "{r}" WHERE id = OLD."fid"; END;
CREATE TRIGGER "{r}_update3" AFTER UPDATE ON "{t}"
  WHEN OLD."fid" != NEW."fid" AND (NEW."{g}" NOTNULL AND NOT ST_IsEmpty(NEW."{g}"))
BEGIN DELETE FROM "{r}" WHERE id = OLD."fid"; INSERT OR REPLACE INTO "{r}" VALUES (NEW."fid",
  ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"), ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;
CREATE TRIGGER "{r}_update4" AFTER UPDATE ON "{t}"
  WHEN OLD."fid" != NEW."fid" AND (NEW."{g}" ISNULL OR ST_IsEmpty(NEW."{g}"))
BEGIN DELETE FROM "{r}" WHERE id IN (OLD."fid", NEW."fid"); END;
CREATE TRIGGER "{r}_delete" AFTER DELETE ON "{t}" WHEN old."{g}" NOT NULL
BEGIN DELETE FROM "{r}" WHERE id = OLD."fid"; END;
"""


class Layer(NamedTuple):
    """A table: its name, a title, its columns' SQL types, and of what kind its geometries are."""

    name: str
    title: str
    columns: Mapping[str, str]
    kind: str = "POLYGON"


class GeoPackageWriter:
    """A file with one layer of polygons, which grows by some rows at a time.

    Args:
        target: the file; it must not exist.
        layer: the table.
        crs_wkt: of the coordinates, easting or longitude first.
        code: of that very CRS, such as ``EPSG:32631``, if it has one.

    Used as a context: what it says of itself is written where that ends well.
    """

    def __init__(self, target: Path, layer: Layer, crs_wkt: str, code: str | None) -> None:
        self._layer = layer
        self._srs = int(code.partition(":")[2]) if code else _NO_CODE
        self._rows = 0
        self._style = ""
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)
        self._file = sqlite3.connect(target, isolation_level=None)
        # A draft until it is whole: nothing is to be undone in it.
        for pragma in ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._file.execute(f"PRAGMA user_version = {_VERSION}")
        self._file.executescript(_TABLES)
        self._file.execute("BEGIN")
        self._indexed = self._one("SELECT sqlite_compileoption_used('ENABLE_RTREE')")
        self._index = f"rtree_{layer.name}_{_GEOMETRY}"
        self._begin(crs_wkt, code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._file.close()

    def add(self, geometries: NDArray[Any], values: Iterable[Sequence[Any]]) -> None:
        """Write some rows.

        Args:
            geometries: (n,) polygons.
            values: of each row, in the order of the layer's columns.
        """
        if not len(geometries):
            return
        boxes = shapely.bounds(geometries)
        self._low = np.minimum(self._low, boxes[:, :2].min(axis=0))
        self._high = np.maximum(self._high, boxes[:, 2:].max(axis=0))
        bounds = boxes[:, [0, 2, 1, 3]].tolist()
        known = shapely.to_wkb(geometries, byte_order=1)
        numbers = range(self._rows + 1, self._rows + 1 + len(geometries))
        marks = ", ".join("?" * (2 + len(self._layer.columns)))
        self._file.executemany(
            f'INSERT INTO "{self._layer.name}" VALUES ({marks})',  # noqa: S608  a name of ours
            (
                (number, _HEADER.pack(b"GP", 0, _WITH_BOX, self._srs, *box) + wkb, *row)
                for number, box, wkb, row in zip(numbers, bounds, known, values, strict=True)
            ),
        )
        if self._indexed:
            self._file.executemany(
                f'INSERT INTO "{self._index}" VALUES (?, ?, ?, ?, ?)',  # noqa: S608  a name of ours
                ((number, *box) for number, box in zip(numbers, bounds, strict=True)),
            )
        self._rows += len(geometries)

    def draw_as(self, style: str) -> None:
        """Have QGIS draw the layer in a style, which is QML."""
        self._style = style

    def _begin(self, crs_wkt: str, code: str | None) -> None:
        layer = self._layer
        names = {name.replace('"', '""'): kind for name, kind in layer.columns.items()}
        columns = "".join(f', "{name}" {kind}' for name, kind in names.items())
        self._file.execute(
            f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY NOT NULL, '
            f"{_GEOMETRY} {layer.kind}{columns})"
        )
        if self._indexed:
            self._file.execute(
                f'CREATE VIRTUAL TABLE "{self._index}" USING rtree(id, minx, maxx, miny, maxy)'
            )
        crs = pyproj.CRS(crs_wkt)
        named = (code or "NONE:0").split(":")
        known = {
            number: (name, number, "EPSG" if number > 0 else "NONE", number, "undefined", None)
            for number, name in _OFTEN.items()
        }
        known[4326] = (*known[4326][:4], pyproj.CRS(4326).to_wkt("WKT1_GDAL"), None)
        known[self._srs] = (crs.name, self._srs, named[0], int(named[1]), _wkt1(crs), None)
        full = dict.fromkeys(known, "undefined") | {
            4326: pyproj.CRS(4326).to_wkt(),
            self._srs: crs.to_wkt(),
        }
        self._file.executemany(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*row, full[number]) for number, row in sorted(known.items())],
        )

    def _finish(self) -> None:
        layer, file = self._layer, self._file
        box = (*self._low.tolist(), *self._high.tolist()) if self._rows else (None,) * 4
        contents = "INSERT INTO gpkg_contents VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?)"
        file.execute(contents, (layer.name, "features", layer.title, _NO_TIME, *box, self._srs))
        file.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, 0, 0)",
            (layer.name, _GEOMETRY, layer.kind, self._srs),
        )
        extensions = "INSERT INTO gpkg_extensions VALUES (?, ?, ?, ?, ?)"
        place = ("gpkg_spatial_ref_sys", "definition_12_063")
        file.execute(extensions, (*place, "gpkg_crs_wkt", _CRS_WKT, "read-write"))
        if self._indexed:
            rtree = (layer.name, _GEOMETRY, "gpkg_rtree_index", _RTREE, "write-only")
            file.execute(extensions, rtree)
        if self._style:
            file.execute(_STYLES)
            named = ("layer_styles", "attributes", "layer_styles", _NO_TIME, *[None] * 4, None)
            file.execute(contents, named)
            style = (layer.name, _GEOMETRY, layer.name, self._style, "", 1, layer.title, _NO_TIME)
            file.execute(
                "INSERT INTO layer_styles VALUES (1, '', '', ?, ?, ?, ?, ?, ?, ?, '', NULL, ?)",
                style,
            )
        file.execute("COMMIT")
        if self._indexed:
            names = {"r": self._index, "t": layer.name, "g": _GEOMETRY}
            file.executescript(_TRIGGERS.format(**names))

    def _one(self, query: str) -> Any:
        return self._file.execute(query).fetchone()[0]


def geometry_of(blob: bytes) -> Any:
    """A geometry of a file that this module wrote."""
    return shapely.from_wkb(blob[_HEADER.size :])


def _wkt1(crs: pyproj.CRS) -> str:
    """A CRS as old readers know it; "undefined" where that cannot say it."""
    try:
        return crs.to_wkt("WKT1_GDAL")
    except ProjError:
        return "undefined"
