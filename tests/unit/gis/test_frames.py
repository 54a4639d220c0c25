"""Layers between their own CRS and degrees: told in place, found in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import shape as shape_of

from geogaze.errors import InvalidRequest
from geogaze.gis.frames import CRS84, Frame
from geogaze.gis.geopackage import read_layer
from geogaze.gis.selection import Selection
from tests.unit.gis.packages import CORNER, outlines, write_package

EPSG = "http://www.opengis.net/def/crs/EPSG/0"
MARS = pyproj.CRS.from_proj4("+proj=longlat +R=3396190 +no_defs").to_wkt()


def framed(
    folder: Path, shapes: list[shapely.Polygon], crs: str = "EPSG:32631"
) -> tuple[Path, Frame]:
    path = write_package(folder / "layer.gpkg", shapes, crs)
    return path, Frame(read_layer(path))


def found(path: Path, frame: Frame, area: shapely.Geometry, uri: str = CRS84) -> list[int]:
    selection = Selection(frame.layer)
    where = frame.area(area, uri)
    if where is not None:
        selection.want_in(where)
    return [feature.number for feature in selection.page(path, 100).features]


def told(path: Path, frame: Frame, uri: str = CRS84) -> list[shapely.Geometry]:
    features = Selection(frame.layer).page(path, 100).features
    shapes = np.array([feature.geometry for feature in features])
    return [shape_of(made) for made in frame.told(shapes, uri)]


@pytest.mark.parametrize(
    ("crs", "corner", "step"),
    [
        ("EPSG:32631", CORNER, 100.0),
        ("EPSG:2193", (1_600_000.0, 5_400_000.0), 100.0),  # northing first
        ("EPSG:4326", (2.0, 48.0), 0.01),  # latitude first
        ("EPSG:3857", (222_000.0, 6_106_000.0), 100.0),
        ("EPSG:3031", (1_000_000.0, 900_000.0), 100.0),  # Antarctica
    ],
)
def test_features_are_told_where_they_lie(
    tmp_path: Path, crs: str, corner: tuple[float, float], step: float
) -> None:
    shapes = outlines(5, corner, step)
    path, frame = framed(tmp_path, shapes, crs)
    own = f"{EPSG}/{crs[5:]}"
    assert frame.uris == [CRS84, own]
    way = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=False)
    for mine, degrees, there in zip(shapes, told(path, frame), told(path, frame, own), strict=True):
        placed = shapely.transform(degrees, lambda xy: np.stack(way.transform(*xy.T), axis=1))
        assert shapely.hausdorff_distance(placed, there) < 1e-4
        swapped = crs in {"EPSG:2193", "EPSG:4326"}
        turned = shapely.transform(there, lambda xy: xy[:, ::-1]) if swapped else there
        assert shapely.hausdorff_distance(turned, mine) < 1e-4
    west, south, east, north = frame.bbox or (0, 0, 0, 0)
    assert shapely.box(west, south, east, north).contains(shapely.union_all(told(path, frame)))
    third = told(path, frame)[2].centroid.buffer(1e-6)
    assert found(path, frame, third.envelope) == [3]
    third = told(path, frame, own)[2].centroid.buffer(step / 100)
    assert found(path, frame, third.envelope, own) == [3]


def test_boxes_in_degrees_are_met_exactly(tmp_path: Path) -> None:
    """Far from the zone's middle, where degrees are turned against its grid."""
    shapes = outlines(40, (240_000.0, 7_000_000.0), 2000.0)
    path, frame = framed(tmp_path, shapes)
    degrees = told(path, frame)
    rng = np.random.default_rng(2)
    met = 0
    for _ in range(60):
        lon, lat = rng.uniform((-2.3, 63.0), (-0.3, 63.7))
        box = shapely.box(lon, lat, lon + rng.uniform(0.01, 1), lat + rng.uniform(0.01, 0.5))
        wanted = [i + 1 for i, shape in enumerate(degrees) if shape.intersects(box)]
        assert found(path, frame, box) == wanted
        met += len(wanted)
    assert met > 100
    assert frame.area(shapely.box(-180, -90, 180, 90), CRS84) is None, "nothing to look for"
    assert found(path, frame, shapely.box(10, 10, 20, 20)) == []


def test_sides_of_boxes_bend_as_parallels_do(tmp_path: Path) -> None:
    """A hundred metres within the southern side, and beyond the northern: straight lines between
    the corners lie on their other sides.
    """
    way = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32631", always_xy=True)
    places = [(3, 63.001), (3, 63.501), (0.5, 62.5), (5.5, 64)]
    shapes = [shapely.Point(way.transform(*place)).buffer(5).envelope for place in places]
    path, frame = framed(tmp_path, shapes)
    assert found(path, frame, shapely.box(2, 63, 4, 63.5)) == [1]


def test_across_the_180th_meridian(tmp_path: Path) -> None:
    """Three west of it, one across, three east."""
    way = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32660", always_xy=True)
    x, y = way.transform(180, 5)
    middles = [x + 1000 * i for i in range(-3, 4)]
    shapes = [shapely.box(middle - 300, y, middle + 300, y + 500) for middle in middles]
    path, frame = framed(tmp_path, shapes, "EPSG:32660")
    west, _, east, _ = frame.bbox or (0, 0, 0, 0)
    assert 179.9 < west < 180
    assert -180 < east < -179.9
    made = told(path, frame)
    assert [one.geom_type for one in made].count("MultiPolygon") == 1
    assert all(one.bounds[0] >= -180 and one.bounds[2] <= 180 for one in made)
    assert made[3].area == pytest.approx(made[2].area, rel=1e-3)
    assert found(path, frame, shapely.box(179, 0, 180, 10)) == [1, 2, 3, 4]
    assert found(path, frame, shapely.box(-180, 0, -179, 10)) == [4, 5, 6, 7]
    both = shapely.union(shapely.box(179.98, 0, 180, 10), shapely.box(-180, 0, -179.98, 10))
    assert found(path, frame, both) == [2, 3, 4, 5, 6]


def test_what_lies_nowhere_is_refused(tmp_path: Path) -> None:
    _, frame = framed(tmp_path, outlines(2, (2.0, 48.0), 0.1), MARS)
    with pytest.raises(InvalidRequest, match="nowhere on the Earth"):
        frame.check()
    assert frame.own_uri is None


def test_a_crs_without_a_number_is_told_in_degrees_alone(tmp_path: Path) -> None:
    wkt = pyproj.CRS.from_proj4("+proj=laea +lat_0=48 +lon_0=2 +ellps=WGS84 +units=m").to_wkt()
    path, frame = framed(tmp_path, outlines(2, (0.0, 0.0)), wkt)
    assert frame.uris == [CRS84]
    assert told(path, frame)[0].bounds[:2] == pytest.approx((2, 48), abs=1e-8)


def test_an_empty_layer_is_told_too(tmp_path: Path) -> None:
    path, frame = framed(tmp_path, [], "EPSG:2193")
    frame.check()
    assert frame.bbox is None
    for uri in frame.uris:
        assert told(path, frame, uri) == []
        assert found(path, frame, shapely.box(0, 0, 1, 1), uri) == []


def test_an_area_over_a_pole_is_refused(tmp_path: Path) -> None:
    path, frame = framed(tmp_path, outlines(5, (-200_000.0, -200_000.0), 100_000.0), "EPSG:3031")
    assert found(path, frame, shapely.box(-180, -90, 180, 90)) == [1, 2, 3, 4, 5]
    with pytest.raises(InvalidRequest, match=r"EPSG/0/3031"):
        found(path, frame, shapely.box(-180, -90, 180, -89.5))
