"""Figures of heat in zones, beside a fine grid of points and the heat's own cells."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from geogaze.products.make.areas import CellAreas
from geogaze.products.make.zones import figures_of
from tests.unit.products.lattices import LEVEL, blobs, in_blocks
from tests.unit.products.test_regions import OfOne

RING = shapely.Point(12.3, 9.7).buffer(7.1).difference(shapely.Point(12, 10).buffer(3.3))


class Even(OfOne):
    """Cells of 100 m²."""

    def of(self, box, row, col):
        return np.full(len(row), 100.0)


@pytest.mark.parametrize("areas", [Even(), OfOne()], ids=["even", "uneven"])
def test_figures_are_those_of_all_cells_one_by_one(areas: CellAreas) -> None:
    values = blobs(20, 24, seed=2, grain=1)
    found = figures_of(RING, in_blocks(values, 7), LEVEL, areas)
    row, col = (at.ravel() for at in np.indices(values.shape))
    share = shapely.area(shapely.intersection(shapely.box(col, row, col + 1, row + 1), RING))
    square, heat = share * areas.of((0, 0, *values.shape), row, col), values.ravel()
    seen = np.isfinite(heat) & (share > 0)
    assert found.area == pytest.approx(square.sum())
    assert found.seen == pytest.approx(square[seen].sum())
    assert found.seen < found.area
    assert found.mean == pytest.approx(np.average(heat[seen], weights=square[seen]))
    assert found.total == pytest.approx((share * heat)[seen].sum())
    assert found.peak == pytest.approx(heat[seen].max())
    assert found.hot == pytest.approx(square[seen & (heat >= LEVEL)].sum())
    assert found.share == pytest.approx(found.hot / found.seen)


def test_beyond_the_lattice_nothing_is_known() -> None:
    heat = in_blocks(blobs(20, 24, seed=2, grain=1), 7)
    far = figures_of(shapely.box(100, 100, 110, 110), heat, LEVEL, Even())
    assert (far.area, far.seen, far.mean, far.peak, far.share) == (0, 0, None, None, None)
    half = figures_of(shapely.box(-5, 0, 5, 10), heat, LEVEL, Even())
    assert half.area == pytest.approx(50 * 100)
