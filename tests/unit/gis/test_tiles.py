"""What tiles are drawn of: shades of values, signed ones too, and colours that blend."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from rasterio.transform import from_bounds

from geogaze.gis.lattice import MERCATOR, Lattice, Level
from geogaze.gis.tiles import Place, Shown, shades_of
from geogaze.products.colormaps import colour_stops


def test_unknown_cells_are_clear_where_low_ones_are_not() -> None:
    stops = colour_stops("coolwarm", -2, 2)
    values = np.array([[np.nan, -9, -2, 0, 2, 9]], np.float32)
    assert shades_of(values, stops).tolist() == [[0, 1, 1, 128, 255, 255]]


def test_colours_blend_between_cells() -> None:
    world = Place(0, 0, 0).bounds
    cells = np.array([[0, 1], [0, 1]], np.float32)
    lattice = Lattice(MERCATOR, (Level(cells, from_bounds(*world, 2, 2)),))
    tile = Shown(lattice, colour_stops("viridis")).tile(Place(0, 0, 0), 256)
    shades = np.asarray(Image.open(BytesIO(tile)))[128].astype(int)
    assert (shades[10], shades[-10]) == (1, 255)
    assert np.all(np.diff(shades) >= 0)
    assert len(np.unique(shades)) > 100
    assert abs(shades[128] - 128) < 4, "half-way between the cells' middles"
