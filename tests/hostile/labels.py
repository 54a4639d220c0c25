"""Hostile label files: databases that act, documents without end, archives that climb."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas
from shapely.geometry import box

from tests.hostile.case import Case

_SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


def package(*statements: str) -> Callable[[Path], object]:
    """A GeoPackage in which somebody ran SQL."""

    def make(path: Path) -> None:
        frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs=4326)
        frame.to_file(path, layer="a")
        with closing(sqlite3.connect(path)) as file, file:
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in file.execute(triggers).fetchall():  # they call what GDAL alone has
                file.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                file.execute(statement.replace("CANARY", str(path.with_name("canary"))))

    return make


def document(said: Any) -> Callable[[Path], object]:
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return lambda path: path.write_bytes(text)


def feature(geometry: Any, **more: Any) -> Any:
    return document({"type": "Feature", "properties": {}, "geometry": geometry, **more})


def polygon(*points: Any) -> Any:
    return {"type": "Polygon", "coordinates": [list(points)]}


def slipped(path: Path) -> None:
    """A zip that climbs, under the name of a shapefile."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../canary", "x")


def linked(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def shape(path: Path) -> None:
    """A shapefile that says it has 2³¹ records, without the rest of it."""
    path.write_bytes(b"\0\0\x27\x0a" + bytes(20) + b"\x7f\xff\xff\xff" + bytes(72))


_BAD = frozenset({"InvalidRequest"})
_HARMLESS = frozenset({"taken"})
_EITHER = _BAD | _HARMLESS

LABELS: tuple[Case, ...] = (
    Case(
        "a GeoPackage with a trigger",
        "a.gpkg",
        package("CREATE TRIGGER t AFTER UPDATE ON gpkg_contents BEGIN DELETE FROM a; END"),
        _HARMLESS,
    ),
    Case(
        "a GeoPackage whose view attaches a file",
        "a.gpkg",
        package("CREATE VIEW v AS SELECT writefile('CANARY', 'x')"),
        _HARMLESS,
    ),
    Case(
        "a GeoPackage whose layer is a view without end",
        "a.gpkg",
        package(
            "ALTER TABLE a RENAME TO b",
            "CREATE VIEW a AS WITH RECURSIVE c(n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 9) "
            "SELECT n AS fid, NULL AS geom, 'x' AS name FROM c",
        ),
        _EITHER,
    ),
    Case(
        "a GeoPackage whose geometry is text",
        "a.gpkg",
        package("UPDATE a SET geom = 'no geometry'"),
        _EITHER,
    ),
    Case("a GeoPackage of other tables", "a.gpkg", package("DROP TABLE gpkg_contents"), _BAD),
    Case("a SQLite file of nothing", "a.gpkg", document(b"SQLite format 3\0" + bytes(84)), _BAD),
    Case(
        "a GeoPackage that is a VRT",
        "a.gpkg",
        document(
            b"<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>/etc/passwd</SrcDataSource>"
            b"</OGRVRTLayer></OGRVRTDataSource>"
        ),
        _BAD,
    ),
    Case("a zip that climbs out of its folder", "a.shp", slipped, _BAD),
    Case("a shapefile of 2³¹ records", "a.shp", shape, _BAD),
    Case(
        "a FlatGeobuf of its magic alone", "a.fgb", document(b"fgb\x03fgb\0" + b"\xff" * 40), _BAD
    ),
    Case("a link to the system's passwords", "a.geojson", linked, _BAD),
    Case("a document nested 100,000 deep", "a.geojson", document(b'{"a":' * 100_000), _BAD),
    Case("a document that is no text", "a.geojson", document(b"\xff\xfe\0\0"), _BAD),
    Case("a list", "a.geojson", document([1]), _BAD),
    Case("a number", "a.geojson", document(7), _BAD),
    Case(
        "a corner at NaN",
        "a.geojson",
        feature(polygon([float("nan"), 0], [1, 0], [1, 1], [float("nan"), 0])),
        _EITHER,
    ),
    Case(
        "a corner at 10³⁰⁸",
        "a.geojson",
        feature(polygon([1e308, 0], [1, 0], [1, 1], [1e308, 0])),
        _EITHER,
    ),
    Case(
        "a corner that is text",
        "a.geojson",
        feature(polygon(["x", 0], [1, 0], [1, 1], ["x", 0])),
        _BAD,
    ),
    Case("a ring of two points", "a.geojson", feature(polygon([0, 0], [0, 0])), _BAD),
    Case(
        "features that are no list",
        "a.geojson",
        document({"type": "FeatureCollection", "features": 7}),
        _BAD,
    ),
    Case(
        "a feature that is null",
        "a.geojson",
        document({"type": "FeatureCollection", "features": [None]}),
        _BAD,
    ),
    Case(
        "a CRS that is a path",
        "a.geojson",
        feature(_SQUARE, crs={"type": "name", "properties": {"name": "/etc/passwd"}}),
        _EITHER,
    ),
    Case(
        "a CRS of 10⁵ characters",
        "a.geojson",
        feature(_SQUARE, crs={"type": "name", "properties": {"name": "+proj=" + "x" * 100_000}}),
        _EITHER,
    ),
    Case(
        "collections in collections, 400 deep",
        "a.geojson",
        document(
            b'{"type":"Feature","properties":{},"geometry":'
            + b'{"type":"GeometryCollection","geometries":[' * 400
            + json.dumps(_SQUARE).encode()
            + b"]}" * 400
            + b"}"
        ),
        _EITHER,
    ),
)
