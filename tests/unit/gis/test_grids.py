"""A layer's own grid: which layers have one, what the standards say of it, exact cells."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from geogaze.errors import ObjectNotFound
from geogaze.gis.grids import OWN, WEB, Spot, TileOutOfRange, grid_named, grids_of
from geogaze.gis.lattice import Lattice, Level
from geogaze.gis.tiles import Shown, clear
from geogaze.products.colormaps import colour_stops

ROWS, COLS = 300, 520
UPRIGHT = Affine.translation(420_000, 5_710_000) @ Affine.scale(16, -16)


def shown(crs: str = "EPSG:32631", transform: Affine = UPRIGHT) -> Shown:
    """Cells that all differ from their neighbours, in two resolutions."""
    rows, cols = np.mgrid[:ROWS, :COLS]
    cells = ((rows * 7 + cols * 3) % 255 / 254).astype(np.float32)
    cells[:40] = np.nan
    half = cells.reshape(ROWS // 2, 2, COLS // 2, 2)[:, 0, :, 0]
    levels = (Level(cells, transform), Level(half, transform @ Affine.scale(2)))
    return Shown(Lattice(CRS.from_user_input(crs), levels), colour_stops("viridis"))


def test_each_pixel_is_a_cell() -> None:
    layer = shown()
    grid = grid_named(OWN, layer)
    for matrix, level in (("1", 0), ("0", 1)):
        values = layer.lattice.levels[level].values
        whole = np.zeros([side + -side % 256 for side in values.shape], np.uint8)
        whole[: values.shape[0], : values.shape[1]] = np.nan_to_num(np.rint(values * 254) + 1)
        for row in range(whole.shape[0] // 256):
            for col in range(whole.shape[1] // 256):
                tile = np.asarray(Image.open(BytesIO(grid.tile(Spot(matrix, row, col)))))
                expected = whole[row * 256 : (row + 1) * 256, col * 256 : (col + 1) * 256]
                assert np.array_equal(tile, expected), (matrix, row, col)


def test_what_is_beyond_the_last_cell_is_clear_and_beyond_the_last_tile_refused() -> None:
    layer = shown()
    layer.lattice.levels[0].values[:] = np.nan
    grid = grid_named(OWN, layer)
    assert grid.tile(Spot("1", 1, 2)) == clear(256)
    for spot, axis in (
        (Spot("1", 2, 0), "TileRow"),
        (Spot("1", 0, 3), "TileCol"),
        (Spot("2", 0, 0), "TileMatrix"),
        (Spot("01", 0, 0), "TileMatrix"),
    ):
        with pytest.raises(TileOutOfRange) as refused:
            grid.tile(spot)
        assert refused.value.axis == axis
        with pytest.raises(TileOutOfRange):
            grid_named(WEB, layer).tile(Spot("1", 2, 0))


def test_values_are_those_of_the_finest_cells() -> None:
    layer = shown()
    cells = layer.lattice.levels[0].values
    grid = grid_named(OWN, layer)
    assert grid.value(Spot("1", 0, 1), 10, 50) == cells[50, 266]
    assert grid.value(Spot("0", 0, 0), 100, 60) == cells[121, 201], "the middle of a coarser one"
    assert grid.value(Spot("1", 0, 0), 10, 39) is None, "nobody looked"
    assert grid.value(Spot("1", 1, 2), 255, 255) is None, "beyond the last"
    with pytest.raises(TileOutOfRange) as refused:
        grid.value(Spot("1", 0, 0), 0, 256)
    assert refused.value.axis == "J"


def test_what_the_standards_say_of_it() -> None:
    document = grid_named(OWN, shown()).document
    assert str(document.crs.root) == "http://www.opengis.net/def/crs/EPSG/0/32631"
    coarse, fine = document.tileMatrices
    assert (fine.cellSize, coarse.cellSize) == (16, 32)
    assert fine.scaleDenominator == pytest.approx(16 / 0.00028)
    assert fine.pointOfOrigin == coarse.pointOfOrigin == (420_000, 5_710_000)
    assert (fine.matrixHeight, fine.matrixWidth) == (2, 3)
    assert (coarse.matrixHeight, coarse.matrixWidth) == (1, 2)


@pytest.mark.parametrize(
    ("crs", "axes", "metres"),
    [
        ("EPSG:4326", ["Lat", "Lon"], 111319.49079327358),
        ("EPSG:2193", ["N", "E"], 1),  # New Zealand's begins with the northing
        ("EPSG:2263", ["X", "Y"], 0.3048006096),  # New York's is in feet
    ],
)
def test_axes_go_in_the_order_of_their_authority(crs: str, axes: list[str], metres: float) -> None:
    transform = Affine.translation(2, 51) @ Affine.scale(0.001, -0.001)
    document = grid_named(OWN, shown(crs, transform)).document
    assert document.orderedAxes == axes
    first = (51, 2) if axes[0] in {"Lat", "N"} else (2, 51)
    assert document.tileMatrices[-1].pointOfOrigin == first
    scale = document.tileMatrices[-1].scaleDenominator
    assert scale == pytest.approx(0.001 * metres / 0.00028)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32631", UPRIGHT @ Affine.rotation(20)),
        ("EPSG:32631", UPRIGHT @ Affine.scale(1, 1.01)),
        ("EPSG:32631", UPRIGHT @ Affine.scale(1, -1)),
        ("+proj=laea +lat_0=50 +lon_0=3", UPRIGHT),
    ],
    ids=["turned", "oblong", "upside down", "no number"],
)
def test_what_no_standard_can_say_has_the_webs_grid_alone(crs: str, transform: Affine) -> None:
    layer = shown(crs, transform)
    assert list(grids_of(layer)) == [WEB]
    with pytest.raises(ObjectNotFound, match="it has WebMercatorQuad"):
        grid_named(OWN, layer)
