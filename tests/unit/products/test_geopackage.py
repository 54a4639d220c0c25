"""GeoPackages as GDAL reads and changes them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely

from geogaze.products.make.geopackage import GeoPackageWriter, Layer, geometry_of
from geogaze.products.outlined import by_class
from tests.unit.products.lattices import UTM

SQUARES = np.array([shapely.box(x, 10 * x, x + 1, 10 * x + 2) for x in range(40)])
LAYER = Layer("places", "Some places", {"name": "TEXT", "n": "INTEGER", 'a "b"': "REAL"})
ROWS = [(f"ä'{i}", i, None if i == 3 else i / 4) for i in range(40)]


def written(target: Path, crs: str = UTM, code: str | None = "EPSG:32631") -> Path:
    with GeoPackageWriter(target, LAYER, crs, code) as file:
        file.add(SQUARES[:25], ROWS[:25])
        file.add(SQUARES[:0], [])
        file.add(SQUARES[25:], ROWS[25:])
        file.draw_as(by_class("name", {"<&>": (1, 2, 3)}))
    return target


def test_gdal_reads_what_was_written(tmp_path: Path) -> None:
    path = written(tmp_path / "p.gpkg")
    told = pyogrio.read_info(path, layer="places")
    assert (told["features"], told["geometry_type"], told["crs"]) == (40, "Polygon", "EPSG:32631")
    assert told["total_bounds"] == (0, 0, 40, 392)
    assert told["capabilities"]["fast_spatial_filter"]
    _, fids, geometries, fields = pyogrio.raw.read(path, layer="places", return_fids=True)
    assert fids.tolist() == list(range(1, 41))
    assert (shapely.from_wkb(geometries) == SQUARES).all()
    names, numbers, values = fields
    assert names.tolist() == [row[0] for row in ROWS]
    assert numbers.tolist() == list(range(40))
    assert np.isnan(values[3])
    assert np.delete(values, 3).tolist() == [row[2] for row in ROWS if row[2] is not None]
    near = pyogrio.raw.read(path, layer="places", bbox=(5.5, 0, 7.5, 400))[3][1]
    assert sorted(near) == [5, 6, 7]


def test_its_style_is_inside(tmp_path: Path) -> None:
    with sqlite3.connect(written(tmp_path / "p.gpkg")) as file:
        (style,) = file.execute("SELECT * FROM layer_styles").fetchall()
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert style[3:6] == ("places", "geom", "places")
    assert "1,2,3,255" in style[6]
    tree = ET.fromstring(style[6])
    assert tree.find("renderer-v2/categories/category").get("value") == "<&>"
    assert style[8] == 1  # it is the one that QGIS takes by itself
    file.close()


def test_without_a_style_there_is_one_table_to_open(tmp_path: Path) -> None:
    """Readers warned of a second, empty one."""
    with GeoPackageWriter(tmp_path / "p.gpkg", LAYER, UTM, "EPSG:32631") as file:
        file.add(SQUARES, ROWS)
    assert pyogrio.list_layers(tmp_path / "p.gpkg").tolist() == [["places", "Polygon"]]


def test_a_crs_without_a_number_comes_along(tmp_path: Path) -> None:
    own = pyproj.CRS("+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84 +units=m").to_wkt()
    crs = pyogrio.read_info(written(tmp_path / "p.gpkg", own, None), layer="places")["crs"]
    assert pyproj.CRS(crs).equals(pyproj.CRS(own))


def test_the_same_gives_the_same_bytes(tmp_path: Path) -> None:
    assert (
        written(tmp_path / "one.gpkg").read_bytes() == written(tmp_path / "two.gpkg").read_bytes()
    )


def test_its_index_follows_edits(tmp_path: Path) -> None:
    """By the standard's triggers, with the functions that GDAL and QGIS bring for them."""
    with sqlite3.connect(written(tmp_path / "p.gpkg")) as file:
        for name, place in {"MinX": 0, "MinY": 1, "MaxX": 2, "MaxY": 3}.items():
            file.create_function(f"ST_{name}", 1, lambda blob, i=place: geometry_of(blob).bounds[i])
        file.create_function("ST_IsEmpty", 1, lambda blob: 0)
        moved = file.execute("SELECT geom FROM places WHERE fid = 9").fetchone()[0]
        file.execute("UPDATE places SET geom = ? WHERE fid = 2", (moved,))
        file.execute("UPDATE places SET fid = 99 WHERE fid = 3")
        file.execute("DELETE FROM places WHERE fid = 4")
        index = dict(file.execute("SELECT id, minx FROM rtree_places_geom"))
    file.close()
    assert (index[2], index[99]) == (8, 2)
    assert not {3, 4} & set(index)


def test_a_file_of_nothing_opens(tmp_path: Path) -> None:
    with GeoPackageWriter(tmp_path / "p.gpkg", LAYER, UTM, None):
        pass
    assert pyogrio.read_info(tmp_path / "p.gpkg", layer="places")["features"] == 0


def test_a_file_whose_writing_failed_has_no_layer(tmp_path: Path) -> None:
    with (
        pytest.raises(sqlite3.ProgrammingError),
        GeoPackageWriter(tmp_path / "p.gpkg", LAYER, UTM, None) as file,
    ):
        file.add(SQUARES, [("a value is missing", 1)] * len(SQUARES))
    with sqlite3.connect(tmp_path / "p.gpkg") as left:
        assert left.execute("SELECT count(*) FROM gpkg_contents").fetchone() == (0,)
    left.close()
