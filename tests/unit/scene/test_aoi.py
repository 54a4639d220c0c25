"""Areas of interest, from longitude and latitude to pixels and masks."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from geogaze.errors import AoiOutsideScene
from geogaze.grid.lattice import Box
from geogaze.scene.aoi import check_pixels, inside_mask, locate, pixel_box
from geogaze.scene.info import SceneInfo
from tests.factories import NORTH_UP, ROTATED
from tests.unit.scene.rasters import whole

Ring = list[tuple[float, float]]


def scene_at(transform: Affine, crs: str = "EPSG:32631") -> SceneInfo:
    """A scene of 260 × 200 pixels."""
    return SceneInfo(
        uri="scene.tif",
        width=260,
        height=200,
        crs_wkt=CRS.from_user_input(crs).to_wkt("WKT1_GDAL"),
        epsg=None,
        transform=tuple(transform)[:6],
        dtype="uint8",
        bands=(1, 2, 3),
        pixel_metres=0.5,
        rescale=((0, 255),) * 3,
        rescale_source="given",
    )


NORTH, TURNED = scene_at(NORTH_UP), scene_at(ROTATED)


def polygon(scene: SceneInfo, pixels: Ring, crs: str = "OGC:CRS84") -> dict[str, Any]:
    """GeoJSON of a ring of scene pixels (col, row)."""
    transformer = Transformer.from_crs(CRS.from_wkt(scene.crs_wkt), crs, always_xy=True)
    ring = [transformer.transform(*(scene.affine @ pixel)) for pixel in (*pixels, pixels[0])]
    return {"type": "Polygon", "coordinates": [ring]}


def rectangle(row0: float, col0: float, row1: float, col1: float) -> Ring:
    return [(col0, row0), (col1, row0), (col1, row1), (col0, row1)]


def found(aoi: dict[str, Any], scene: SceneInfo, scale: float = 1.0) -> tuple[Box, Any]:
    """The box of working pixels and the mask over all of them."""
    area, working = locate(aoi, scene), whole(scene, scale)
    mask = inside_mask(area, working.transform, (working.height, working.width))
    return pixel_box(area, working), mask


RECTANGLE = rectangle(20.25, 30.25, 79.75, 99.75)
EXPECTED_BOX: Box = (20, 30, 80, 100)


def assert_expected(aoi: dict[str, Any], scene: SceneInfo = NORTH) -> None:
    box, mask = found(aoi, scene)
    assert box == EXPECTED_BOX
    expected = np.zeros((200, 260), dtype=bool)
    expected[20:80, 30:100] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("scene", [NORTH, TURNED], ids=["north-up", "rotated"])
def test_longitude_and_latitude_land_on_the_right_pixels(scene: SceneInfo) -> None:
    assert_expected(polygon(scene, RECTANGLE), scene)


@settings(max_examples=40, deadline=None)
@given(
    corners=st.tuples(
        st.integers(0, 98), st.integers(100, 199), st.integers(0, 128), st.integers(130, 259)
    ),
    scale=st.sampled_from([0.5, 1.0, 2.0]),
    scene=st.sampled_from([NORTH, TURNED]),
)
def test_pixel_box_encloses_the_area(
    corners: tuple[int, int, int, int], scale: float, scene: SceneInfo
) -> None:
    row0, row1, col0, col1 = (corner + 0.1 for corner in corners)
    box, mask = found(polygon(scene, rectangle(row0, col0, row1, col1)), scene, scale)
    ends = (row1, col1)
    assert box == (
        *(int(start / scale) for start in (row0, col0)),
        *(int(end / scale) + 1 for end in ends),
    )
    rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]] * scale + scale / 2
    np.testing.assert_array_equal(
        mask, (rows > row0) & (rows < row1) & (cols > col0) & (cols < col1)
    )


def test_mask_holds_pixels_whose_centre_is_inside() -> None:
    _, mask = found(polygon(NORTH, [(10.1, 10), (110.1, 10), (10.1, 110)]), NORTH)
    rows, cols = np.mgrid[:200, :260] + 0.5
    expected = (cols > 10.1) & (rows > 10) & (cols - 10.1 + rows - 10 < 100)
    np.testing.assert_array_equal(mask, expected)


def test_mask_of_a_window() -> None:
    area, working = locate(polygon(NORTH, RECTANGLE), NORTH), whole(NORTH)
    window = working.transform @ Affine.translation(-5, 15)
    mask = inside_mask(area, window, (40, 60))
    expected = np.zeros((40, 60), dtype=bool)
    expected[5:, 35:] = True
    np.testing.assert_array_equal(mask, expected)


def test_areas_are_cut_to_the_scene() -> None:
    box, mask = found(polygon(NORTH, rectangle(-500.2, 200.2, 50.2, 900)), NORTH)
    assert box == (0, 200, 51, 260)
    assert mask.sum() == 50 * 60


A, B = rectangle(20.25, 30.25, 50, 99.75), rectangle(40, 30.25, 79.75, 99.75)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Feature", "properties": None, "geometry": polygon(NORTH, RECTANGLE)},
        {
            "type": "MultiPolygon",
            "coordinates": [polygon(NORTH, ring)["coordinates"] for ring in (A, B)],
        },
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {}, "geometry": polygon(NORTH, ring)}
                for ring in (A, B)
            ],
        },
    ],
    ids=["Feature", "MultiPolygon", "overlapping features"],
)
def test_all_polygon_documents_are_taken(document: dict[str, Any]) -> None:
    assert_expected(document)


def test_heights_are_ignored() -> None:
    document = polygon(NORTH, RECTANGLE)
    document["coordinates"] = [[(*point, 120.0) for point in document["coordinates"][0]]]
    assert_expected(document)


def test_polygons_may_cross_themselves() -> None:
    (left, top), (right, _), (_, bottom), _ = RECTANGLE
    bow = [(left, top), (right, bottom), (right, top), (left, bottom)]
    box, mask = found(polygon(NORTH, bow), NORTH)
    assert box == EXPECTED_BOX
    assert mask.sum() == pytest.approx(60 * 70 / 2, rel=0.03)


def test_holes_are_left_out() -> None:
    document = polygon(NORTH, RECTANGLE)
    document["coordinates"] += polygon(NORTH, rectangle(40, 40, 50, 60))["coordinates"]
    _, mask = found(document, NORTH)
    assert mask.sum() == 60 * 70 - 10 * 20


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("urn:ogc:def:crs:EPSG::32631", "EPSG:32631"),
        ("EPSG:32631", "EPSG:32631"),
        ("urn:ogc:def:crs:EPSG::3857", "EPSG:3857"),
        # GeoJSON has x before y, whatever the authority says.
        ("urn:ogc:def:crs:EPSG::4326", "OGC:CRS84"),
    ],
)
def test_documents_that_name_their_crs(name: str, crs: str) -> None:
    member = {"type": "name", "properties": {"name": name}}
    assert_expected({**polygon(NORTH, RECTANGLE, crs), "crs": member})


def test_a_crs_of_null_is_no_crs() -> None:
    assert_expected({**polygon(NORTH, RECTANGLE), "crs": None})


def test_scene_across_the_date_line() -> None:
    scene = scene_at(
        Affine.translation(*Transformer.from_crs("OGC:CRS84", "EPSG:32660").transform(180, 10))
        @ Affine.scale(0.5, -0.5)
        @ Affine.translation(-130, -100),
        "EPSG:32660",
    )
    for ring in (rectangle(20.25, 10.25, 79.75, 99.75), rectangle(20.25, 150.25, 79.75, 249.75)):
        box, _ = found(polygon(scene, ring), scene)
        assert box == (20, int(ring[0][0]), 80, int(ring[1][0]) + 1)


@pytest.mark.parametrize("reach", [(-10, 35, 30, 70), (-180, -90, 180, 90)])
def test_areas_far_larger_than_the_scene_hold_all_of_it(
    reach: tuple[int, int, int, int],
) -> None:
    west, south, east, north = reach
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    box, mask = found({"type": "Polygon", "coordinates": [ring]}, NORTH)
    assert box == (0, 0, 200, 260)
    assert mask.all()


def test_area_outside_the_scene_is_refused_with_both_extents() -> None:
    with pytest.raises(AoiOutsideScene, match=r"\(2\.18.* does not touch the scene \(2\.04"):
        locate(polygon(NORTH, rectangle(20, 20_000, 80, 20_100)), NORTH)


def test_area_that_only_touches_is_refused() -> None:
    ring = rectangle(20, -50, 80, 0)
    document = polygon(NORTH, ring, "EPSG:32631")
    document["crs"] = {"type": "name", "properties": {"name": "EPSG:32631"}}
    with pytest.raises(AoiOutsideScene, match="does not touch"):
        locate(document, NORTH)


SQUARE = polygon(NORTH, RECTANGLE)["coordinates"][0]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "Point", "coordinates": SQUARE[0]},
        {"type": "LineString", "coordinates": SQUARE},
        {"type": "Feature", "properties": {}, "geometry": None},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [0, 0]}},
        {"type": "FeatureCollection"},
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": "all"},
        {"type": ["Polygon"], "coordinates": [SQUARE]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": SQUARE},
        {"type": "Polygon", "coordinates": [SQUARE[:2]]},
        {"type": "Polygon", "coordinates": "everywhere"},
        {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 1], *SQUARE[1:4], [float("nan"), 1]]]},
        {"type": "Polygon", "coordinates": [[[float("inf"), 1], *SQUARE[1:4], [float("inf"), 1]]]},
        {"type": "Polygon", "coordinates": [[[1e300, 1], *SQUARE[1:4], [1e300, 1]]]},
        {"type": "Polygon", "coordinates": [SQUARE], "crs": "EPSG:4326"},
        {"type": "Polygon", "coordinates": [SQUARE], "crs": {"properties": {"name": "EPSG:1"}}},
        {"type": "Polygon", "coordinates": [SQUARE], "crs": {"properties": {"name": [4326]}}},
        {
            "type": "Polygon",
            "coordinates": [SQUARE],
            "crs": {"properties": {"name": 'LOCAL_CS["site"]'}},
        },
    ],
    ids=lambda document: str(document)[:60],
)
def test_what_is_no_area_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(AoiOutsideScene, match="area of interest"):
        locate(document, NORTH)


def test_point_is_refused_by_name() -> None:
    with pytest.raises(AoiOutsideScene, match="holds a Point"):
        locate({"type": "Point", "coordinates": [2, 48]}, NORTH)


def named_crs(name: str) -> dict[str, Any]:
    member = {"type": "name", "properties": {"name": name}}
    return {**polygon(NORTH, RECTANGLE), "crs": member}


def test_crs_is_never_read_from_a_file(tmp_path: Path) -> None:
    definition = tmp_path / "crs.wkt"
    definition.write_text(CRS.from_epsg(4326).to_wkt())
    with pytest.raises(AoiOutsideScene):
        locate(named_crs(str(definition)), NORTH)


@pytest.mark.parametrize("prefix", ["", "/vsicurl/"])
def test_crs_is_never_fetched_from_the_network(prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"{prefix}http://127.0.0.1:{server.getsockname()[1]}/crs"
        with (
            rasterio.Env(GDAL_HTTP_TIMEOUT=1, GDAL_HTTP_CONNECTTIMEOUT=1),
            pytest.raises(AoiOutsideScene),
        ):
            locate(named_crs(url), NORTH)
        with contextlib.suppress(BlockingIOError):
            server.accept()[0].close()
            pytest.fail(f"somebody called {url}")


# Kinds of documents


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            {
                "type": "GeometryCollection",
                "geometries": [
                    polygon(NORTH, A),
                    {"type": "LineString", "coordinates": SQUARE[:2]},
                    {"type": "GeometryCollection", "geometries": [polygon(NORTH, B)]},
                ],
            },
            id="collection",
        ),
        pytest.param(
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "properties": {}, "geometry": None},
                    {"type": "Feature", "properties": {}, "geometry": polygon(NORTH, RECTANGLE)},
                ],
            },
            id="a feature without geometry",
        ),
        pytest.param(
            {
                **polygon(NORTH, RECTANGLE),
                "crs": {"type": "name", "properties": {"name": "epsg:4326"}},
            },
            id="epsg in lower case",
        ),
    ],
)
def test_more_documents_are_taken(document: dict[str, Any]) -> None:
    assert_expected(document)


@pytest.mark.parametrize("turn", [-360, 360])
def test_longitudes_may_be_counted_another_way_round(turn: int) -> None:
    ring = [(lon + turn, lat) for lon, lat in SQUARE]
    box, mask = found({"type": "Polygon", "coordinates": [ring]}, NORTH)
    assert box == EXPECTED_BOX
    assert mask.sum() == 60 * 70


def test_polygons_that_cross_themselves_may_overlap_others() -> None:
    (left, top), (right, _), (_, bottom), _ = RECTANGLE
    bow = [(left, top), (right, bottom), (right, top), (left, bottom)]
    features = [
        {"type": "Feature", "properties": {}, "geometry": polygon(NORTH, ring)}
        for ring in (bow, RECTANGLE, bow)
    ]
    assert_expected({"type": "FeatureCollection", "features": features})


@pytest.mark.parametrize(("pole", "crs"), [(1, "EPSG:3413"), (-1, "EPSG:3031")])
def test_a_cap_around_a_pole(pole: int, crs: str) -> None:
    """80 degrees and beyond, in a scene of 100 km pixels whose middle is the pole."""
    scene = scene_at(Affine(40_000, 0, -5_200_000, 0, -40_000, 4_000_000), crs)
    ring = [(-180, 80 * pole), (180, 80 * pole), (180, 90 * pole), (-180, 90 * pole)]
    _, mask = found({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, scene)
    rows, cols = np.mgrid[:200, :260] + 0.5
    radius = np.hypot(cols - 130, rows - 100) * 40_000
    assert mask[radius < 1_050_000].all()
    assert not mask[radius > 1_150_000].any()
    assert mask.any()


def test_a_sliver_without_a_pixel_is_told() -> None:
    area = locate(polygon(NORTH, rectangle(20.6, 30, 20.9, 90)), NORTH)
    with pytest.raises(AoiOutsideScene, match="centre of no pixel"):
        check_pixels(area, whole(NORTH))
    check_pixels(area, whole(NORTH, 0.25))
    check_pixels(locate(polygon(NORTH, RECTANGLE), NORTH), whole(NORTH))
