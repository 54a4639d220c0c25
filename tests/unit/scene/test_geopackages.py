"""GeoPackages that anybody may have made: polygons are read, and nothing of theirs is run."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
import shapely

from geogaze.config import Settings
from geogaze.scene import geopackages
from geogaze.scene.geopackages import outlines_of
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.polygons import MOST_BYTES, PolygonsUnreadable, check_polygons, polygons_at

SQUARE = shapely.box(0, 1, 2, 3)
BLOB = b"GP\0\1" + struct.pack("<i", 32631) + shapely.to_wkb(SQUARE, byte_order=1)
PLAIN = "CREATE TABLE ships (fid INTEGER PRIMARY KEY, geom POLYGON, kind TEXT)"


def geopackage(path: Path, *layers: str, rows: int = 1, organization: str = "EPSG") -> Path:
    """A file with the layer ``ships``, as some statements make it."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(
            "CREATE TABLE gpkg_geometry_columns (table_name, column_name, geometry_type_name, "
            "srs_id); INSERT INTO gpkg_geometry_columns VALUES ('ships', 'geom', 'POLYGON', 1);"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id, organization, organization_coordsys_id, "
            f"definition); INSERT INTO gpkg_spatial_ref_sys VALUES (1, '{organization}', 32631, "
            "'LOCAL_CS[\"a\"]');"
        )
        for layer in layers or (PLAIN,):
            file.execute(layer)
        if not layers:
            file.executemany(
                "INSERT INTO ships VALUES (?, ?, 'a')", ((n, BLOB) for n in range(rows))
            )
        file.commit()
    return path


def test_polygons_are_read_of_a_file_and_of_its_bytes(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg")
    data = bytearray(path.read_bytes())
    data[18:20] = b"\2\2"  # whoever wrote it last kept a log beside it, as QGIS does
    for source in (path, bytes(data)):
        found = outlines_of(source, "kind")
        assert found.geometries == [SQUARE]
        assert (found.values, found.code) == (["a"], "EPSG:32631")
    with pytest.raises(ValueError, match="no property 'flag'"):
        outlines_of(path, "flag")


ENDLESS = "WITH RECURSIVE n(geom) AS (SELECT 1 UNION ALL SELECT geom + 1 FROM n) SELECT * FROM n"


@pytest.mark.parametrize(
    "layer",
    [f"CREATE VIEW ships AS {ENDLESS}", "CREATE VIRTUAL TABLE ships USING rtree(geom, a, b)"],
    ids=["view", "virtual"],
)
def test_only_plain_tables_are_read(tmp_path: Path, layer: str) -> None:
    with pytest.raises(ValueError, match="no layer with polygons"):
        outlines_of(geopackage(tmp_path / "a.gpkg", layer))


def test_no_value_is_longer_than_that(tmp_path: Path) -> None:
    bomb = "CREATE TABLE ships (fid, geom AS (zeroblob(200000000)))"
    path = geopackage(tmp_path / "a.gpkg", bomb, "INSERT INTO ships VALUES (1)")
    with pytest.raises(ValueError, match="too big"):
        outlines_of(path.read_bytes())


def test_reading_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = geopackage(tmp_path / "a.gpkg", rows=2000)
    assert len(outlines_of(path).geometries) == 2000
    monkeypatch.setattr(geopackages, "_MOST_STEPS", 2000)
    monkeypatch.setattr(geopackages, "_STEPS_AT_ONCE", 1000)
    with pytest.raises(ValueError, match="interrupted"):
        outlines_of(path)


def test_what_no_server_takes_is_refused(tmp_path: Path) -> None:
    policy, settings = SourcePolicy((tmp_path,)), Settings()
    whole = geopackage(tmp_path / "a.gpkg")
    assert polygons_at(str(whole), policy, settings, "kind")["features"][0]["properties"] == {
        "kind": "a"
    }
    (tmp_path / "half.gpkg").write_bytes(whole.read_bytes()[:5000])
    (tmp_path / "large.geojson").write_bytes(b" " * (MOST_BYTES + 1))
    (tmp_path / "list.geojson").write_text("[]")
    (tmp_path / "point.geojson").write_text('{"type": "Point", "coordinates": [1, 2]}')
    geopackage(tmp_path / "own.gpkg", organization="NONE")
    for name, says in {
        "half.gpkg": "cannot be read",
        "large.geojson": "more than 16 MiB",
        "list.geojson": "cannot be read",
        "point.geojson": "it holds a Point",
        "own.gpkg": "no EPSG code",
    }.items():
        with pytest.raises(PolygonsUnreadable, match=says):
            check_polygons(str(tmp_path / name), policy, settings)
