"""Shares of cells that lie in polygons, beside the cells cut one by one by shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity

from geogaze.grid.shares import blocks_under, shares

CIRCLE = shapely.Point(12.3, 9.7).buffer(7.1)
RING = CIRCLE.difference(shapely.Point(12, 10).buffer(3.3))
TURNED = affinity.rotate(shapely.box(3, 4, 21, 6.5), 31)
SLIVER = shapely.Polygon([(1.02, 1.03), (23.5, 14.2), (1.02, 1.06)])
WHOLE = shapely.box(2, 3, 9, 11)
TWO = shapely.MultiPolygon([WHOLE, shapely.box(9, 11, 12, 12.5)])
MIXED = shapely.GeometryCollection([shapely.LineString([(0, 0), (9, 9)]), TURNED, WHOLE - TURNED])


def by_cells(area: shapely.Geometry, box: tuple[int, int, int, int]) -> np.ndarray:
    row, col = np.mgrid[box[0] : box[2], box[1] : box[3]]
    return shapely.area(shapely.intersection(shapely.box(col, row, col + 1, row + 1), area))


@pytest.mark.parametrize("area", [CIRCLE, RING, TURNED, SLIVER, WHOLE, TWO, MIXED])
@pytest.mark.parametrize("way", [1, -1])
def test_each_cell_counts_by_the_share_of_it_that_lies_within(
    area: shapely.Geometry, way: int
) -> None:
    if way < 0:
        area = shapely.reverse(area)
    for box in ((2, 1, 20, 24), (0, 0, 30, 30), (8, 7, 11, 12), (8, 12, 9, 13)):
        found, expected = shares(area, box), by_cells(area, box)
        assert found == pytest.approx(expected, abs=1e-12)
        assert ((found > 0) == (expected > 1e-9)).all(), "nothing is left beyond the border"
    assert expected.shape == (1, 1)


def test_a_jagged_border_is_no_less_exact() -> None:
    chance = np.random.default_rng(3)
    around, reach = np.sort(chance.random(400)) * 2 * np.pi, chance.uniform(3, 14, 400)
    star = shapely.Polygon(
        np.stack([15 + reach * np.cos(around), 15 + reach * np.sin(around)], axis=1)
    )
    assert shares(star, (0, 0, 30, 30)) == pytest.approx(by_cells(star, (0, 0, 30, 30)), abs=1e-12)


def test_what_lies_elsewhere_has_no_share() -> None:
    for area in (shapely.Polygon(), shapely.box(50, 50, 60, 60), shapely.box(-9, 0, 0, 9)):
        assert not shares(area, (0, 0, 5, 7)).any()
        assert list(blocks_under(area, (5, 7))) == []


def test_blocks_hold_all_that_an_area_reaches() -> None:
    blocks = list(blocks_under(shapely.box(-3, 1000.5, 1030, 5000), (2100, 1500)))
    assert blocks == [
        (1000, 0, 2024, 1024),
        (1000, 1024, 2024, 1030),
        (2024, 0, 2100, 1024),
        (2024, 1024, 2100, 1030),
    ]
