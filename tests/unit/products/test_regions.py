"""Regions found block by block, beside polygonising a whole layer in one go."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from geogaze.products.make.areas import CellAreas
from geogaze.products.make.regions import Regions, regions_of
from tests.unit.products.lattices import (
    LEVEL,
    UTM,
    blobs,
    by_gdal,
    in_blocks,
    sorted_outlines,
)


class OfOne(CellAreas):
    """Cells that differ, without measuring them."""

    def __init__(self) -> None: ...

    def of(self, box, row, col):
        return (row + box[0]) * 100.0 + (col + box[1])


def regions(values: NDArray[np.float32], side: int) -> list[Regions]:
    return list(regions_of(in_blocks(values, side), LEVEL, OfOne(), lambda tiles: None))


@settings(max_examples=80, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    side=st.integers(1, 9),
    seed=st.integers(0, 10_000),
    grain=st.integers(0, 2),
)
def test_nothing_is_cut_where_blocks_meet(
    shape: tuple[int, int], side: int, seed: int, grain: int
) -> None:
    values = blobs(*shape, seed, grain)
    found = [polygon for some in regions(values, side) for polygon in some.outline]
    assert all(map(shapely.is_valid, found))
    ours, theirs = sorted_outlines(found), sorted_outlines(by_gdal(values))
    assert len(ours) == len(theirs)
    assert all(a.equals_exact(b, 0) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("side", [3, 8, 40])
def test_figures_are_those_of_the_cells_within_the_outline(side: int) -> None:
    values = blobs(40, 31, seed=3, grain=2)
    values[5:9, 5:9] = 1.0  # several cells share the peak
    row, col = np.indices(values.shape)
    count = 0
    for some in regions(values, side):
        for i in range(len(some)):
            inside = geometry_mask([some.outline[i]], values.shape, Affine.identity(), invert=True)
            heat = values[inside]
            first = np.argmax(heat)
            assert (some.row[i], some.col[i]) == (row[inside][first], col[inside][first])
            assert some.cells[i] == len(heat)
            assert some.peak[i] == heat.max()
            assert some.total[i] == pytest.approx(heat.sum(dtype=float))
            assert some.area[i] == pytest.approx((row * 100.0 + col)[inside].sum())
            middle = some.outline[i].centroid
            assert (some.centre_col[i], some.centre_row[i]) == pytest.approx((middle.x, middle.y))
            count += 1
    assert count == len(by_gdal(values)) > 20


def test_outlines_touch_where_cells_do_and_holes_stay_holes() -> None:
    values = np.zeros((6, 7), dtype=np.float32)
    values[1:5, 1:6] = 1
    values[2, 2] = values[3, 3] = 0  # two holes that touch at a corner
    values[0, 0] = values[5, 6] = 1  # and two cells that touch the region at one
    for side in (2, 3, 10):
        found = [polygon for some in regions(values, side) for polygon in some.outline]
        assert sorted((polygon.area, len(polygon.interiors)) for polygon in found) == [
            (1, 0),
            (1, 0),
            (18, 2),
        ]


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_a_level_is_hot_itself_and_nothing_is_not(level: float) -> None:
    values = np.array([[0, level, np.nan, np.nextafter(np.float32(level), 0)]], dtype=np.float32)
    heat = in_blocks(values, 2)
    (found,) = regions_of(heat, level, OfOne(), lambda tiles: None)
    assert (len(found), found.col[0], found.cells[0]) == (1, 1, 1)
    assert not list(regions_of(in_blocks(values * 0, 2), level, OfOne(), lambda tiles: None))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, Affine(16, 0, 700_000, 0, -16, 5_000_000)),
        (UTM, Affine(16, 0, 700_000, 0, -16, 5_000_000) @ Affine.rotation(30)),
        ("EPSG:4326", Affine(0.01, 0, -3, 0, -0.01, 70)),
        ("EPSG:3857", Affine(500, 0, 0, 0, -500, 9_000_000)),
        ("EPSG:2263", Affine(50, 0, 980_000, 0, -50, 200_000)),  # feet
    ],
    ids=["utm", "rotated", "degrees", "mercator", "feet"],
)
def test_areas_are_those_on_the_ellipsoid(crs: str, transform: Affine) -> None:
    values = blobs(60, 50, seed=1, grain=2)
    areas = CellAreas(crs, transform)
    each = regions_of(in_blocks(values, 32), LEVEL, areas, lambda tiles: None)
    found = Regions.joined(list(each))
    there = pyproj.Transformer.from_crs(crs, pyproj.CRS(crs).geodetic_crs, always_xy=True)
    geod = pyproj.CRS(crs).get_geod()
    for area, outline in zip(found.area, found.outline, strict=True):
        # Along the edges of all cells: they are no geodesics.
        placed = shapely.transform(
            shapely.segmentize(outline, 1),
            lambda at: np.stack(there.transform(*(transform @ at.T)), axis=1),
        )
        measured, _ = geod.geometry_area_perimeter(placed)
        assert area == pytest.approx(abs(measured), rel=1e-5)


def test_cells_from_pole_to_pole_are_measured_too() -> None:
    areas = CellAreas("EPSG:4326", Affine(1, 0, -180, 0, -1, 90))
    rows, cols = (at.ravel() for at in np.indices((180, 360)))
    total = areas.of((0, 0, 180, 360), rows, cols).sum()
    assert total == pytest.approx(510_065_621_724_000, rel=2e-5)  # of WGS 84
