"""Where products lie, after RFC 7946, or nowhere."""

from __future__ import annotations

import re

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from shapely.geometry import Point, shape

from geogaze.processes.explain.place import Place, place_of
from tests.factories import ROTATED


def at(x: float, y: float, size: float) -> Affine:
    return Affine.translation(x, y) @ Affine.scale(size, -size)


def placed(crs: str, transform: Affine, rows: int, cols: int) -> Place:
    return place_of(pyproj.CRS.from_user_input(crs).to_wkt(), transform, (0, 0, rows, cols))


@pytest.mark.parametrize(
    ("crs", "transform", "shape_", "bbox", "parts"),
    [
        ("EPSG:4326", at(170, 10, 1), (20, 20), (170, -10, -170, 10), 2),
        ("EPSG:4326", at(190, 10, 1), (20, 20), (-170, -10, -150, 10), 1),
        ("EPSG:4326", at(-190, 10, 1), (20, 20), (170, -10, -170, 10), 2),
        ("EPSG:4326", at(170, 10, 1), (20, 10), (170, -10, 180, 10), 1),
        ("EPSG:4326", at(180, 10, 1), (20, 10), (-180, -10, -170, 10), 1),
        ("EPSG:4326", at(0, 90, 1), (180, 360), (-180, -90, 180, 90), 1),
        ("EPSG:4326", at(-180.25, 90.25, 0.5), (361, 721), (-180, -90, 180, 90), 1),
        ("EPSG:3857", at(-20037508.34, 20037508.34, 40075016.68 / 512), (512, 512), None, 1),
    ],
)
def test_longitudes_stay_within_180_and_boxes_cross_the_date_line(
    crs: str,
    transform: Affine,
    shape_: tuple[int, int],
    bbox: tuple[float, ...] | None,
    parts: int,
) -> None:
    place = placed(crs, transform, *shape_)
    assert place.bbox == pytest.approx(bbox or (-180, -85.0511288, 180, 85.0511288))
    area = shape(place.geometry)
    assert area.is_valid
    assert len(getattr(area, "geoms", [area])) == parts
    west, south, east, north = area.bounds
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90
    for part in getattr(area, "geoms", [area]):
        assert part.exterior.is_ccw


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3413", 90), ("EPSG:3031", -90)])
def test_a_scene_around_a_pole_holds_it(crs: str, pole: int) -> None:
    place = placed(crs, at(-3e6, 3e6, 10_000), 600, 600)
    assert place.bbox is not None
    assert (place.bbox[0], place.bbox[2]) == (-180, 180)
    assert pole in place.bbox
    area = shape(place.geometry)
    for lon in range(-179, 180, 7):
        assert area.covers(Point(lon, pole * 0.99))
        assert not area.covers(Point(lon, pole * 0.3))


@pytest.mark.parametrize("crs", ["EPSG:32601", "EPSG:2193", "EPSG:32631"])
def test_all_of_a_scene_lies_in_its_place(crs: str) -> None:
    """Borders that bend in longitude and latitude, over the date line too."""
    transform = at(1_900_000, 5_400_000, 1000) if crs == "EPSG:2193" else at(166_000, 9e6, 2000)
    area = shape(placed(crs, transform, 300, 200).geometry)
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    cols, rows = (a.ravel() for a in np.meshgrid(np.linspace(2, 198, 15), np.linspace(2, 298, 15)))
    for lon, lat in zip(*to_lonlat.transform(*(transform @ (cols, rows))), strict=True):
        assert area.covers(Point((lon + 180) % 360 - 180, lat))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("IAU_2015:30100", at(10, 10, 1)),
        ("IAU_2015:49900", at(10, 10, 1)),
        (
            "+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=GRS80",
            at(-5.5e6, 5.5e6, 550_000),
        ),
    ],
    ids=["moon", "mars", "disc"],
)
def test_what_has_no_place_on_earth_is_left_out(crs: str, transform: Affine) -> None:
    place = placed(crs, transform, 20, 20)
    assert place.geometry is None
    assert place.bbox is None
    assert place.code is None
    assert pyproj.CRS.from_wkt(place.wkt2 or "").equals(pyproj.CRS.from_user_input(crs))


def test_a_code_is_given_only_where_it_is_the_very_crs() -> None:
    true = pyproj.CRS.from_epsg(32631)
    assert placed("EPSG:32631", ROTATED, 20, 20).code == "EPSG:32631"
    assert placed("EPSG:32631", ROTATED, 20, 20).wkt2 is None
    other = true.to_wkt("WKT1_GDAL").replace("500000", "500001")
    assert other != true.to_wkt("WKT1_GDAL")
    place = place_of(other, ROTATED, (0, 0, 20, 20))
    assert place.code is None
    assert "500001" in (place.wkt2 or "")


def without_codes(crs: pyproj.CRS, form: str) -> str:
    """A CRS as an old file describes it: by its numbers alone."""
    return re.sub(r',AUTHORITY\["EPSG","\d+"\]', "", crs.to_wkt(form))


@pytest.mark.parametrize("form", ["WKT1_GDAL", "WKT1_ESRI"])
def test_a_code_is_not_given_to_what_is_only_taken_for_that_crs(form: str) -> None:
    """GDAL and PROJ both find 31467 by its numbers; yet PROJ does not call the two equal."""
    described = without_codes(pyproj.CRS.from_epsg(31467), form)
    assert "EPSG" not in described
    assert rasterio.CRS.from_wkt(described).to_epsg() == 31467
    assert pyproj.CRS.from_wkt(described).to_epsg() == 31467
    place = place_of(described, at(3_400_000, 5_600_000, 100), (0, 0, 20, 20))
    assert place.code is None
    assert pyproj.CRS.from_wkt(place.wkt2 or "").equals(pyproj.CRS.from_wkt(described))
    assert place.geometry is not None


def test_a_web_mercator_that_is_shifted_is_not_3857() -> None:
    plain = pyproj.CRS.from_epsg(3857).to_wkt("WKT1_ESRI")
    shifted = plain.replace('"False_Easting",0.0', '"False_Easting",1000.0')
    assert shifted != plain
    assert rasterio.CRS.from_wkt(shifted).to_epsg() == 3857  # by its name
    assert place_of(plain, at(0, 0, 10), (0, 0, 20, 20)).code == "EPSG:3857"
    place = place_of(shifted, at(0, 0, 10), (0, 0, 20, 20))
    assert place.code is None
    assert '"False easting",1000' in (place.wkt2 or "")
    assert place.bbox is not None
    assert place.bbox[0] == pytest.approx(-1000 / 111_319.49, rel=1e-5)
