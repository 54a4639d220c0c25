"""Masks band by band, values in 0..1, and boxes of areas, each by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from shapely.geometry import mapping

from geogaze.grid.lattice import WorkingGrid
from geogaze.scaling import unit_range
from geogaze.scene.aoi import pixel_box
from geogaze.scene.rasterfile import open_dataset
from geogaze.scene.readers import open_reader
from geogaze.scene.validity import alpha_bands, known_bands
from geogaze.scene.view import SceneView
from tests.factories import NORTH_UP, write_scene
from tests.unit.scene.rasters import ANY_FILE, SETTINGS, info_of, read, source_of


def known(path: Path, bands: tuple[int, ...]) -> NDArray[np.bool_]:
    with open_dataset(source_of(path), "GTiff") as dataset:
        window = Window(0, 0, dataset.width, dataset.height)
        values = dataset.read(list(bands), window=window)
        return known_bands(dataset, bands, values, window, values.shape[1:])


def marked(path: Path, values: NDArray[Any], *alpha: int, named: bool = False) -> Path:
    """A scene some of whose bands are alpha, by colour or by name."""
    write_scene(path, values)
    with rasterio.open(path, "r+") as dataset:
        colours = [ColorInterp.grey] * dataset.count
        for band in alpha:
            if named:
                dataset.set_band_description(band, "Alpha")
            else:
                colours[band - 1] = ColorInterp.alpha
        dataset.colorinterp = colours
    return path


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("alpha", [(5,), (1,), (2, 5)])
def test_alpha_wherever_it_stands_hides_every_band(
    tmp_path: Path, alpha: tuple[int, ...], named: bool
) -> None:
    values = np.full((6, 8, 9), 100, dtype=np.uint8)
    for number, band in enumerate(alpha):
        values[band - 1, :, number] = 0
    path = marked(tmp_path / "scene.tif", values, *alpha, named=named)
    with rasterio.open(path) as dataset:
        assert alpha_bands(dataset) == alpha
    others = tuple(band for band in range(1, 7) if band not in alpha)[:3]
    found = known(path, others)
    assert not found[:, :, : len(alpha)].any()
    assert found[:, :, len(alpha) :].all()


def test_nodata_beside_alpha_hides_its_own_band(tmp_path: Path) -> None:
    """GDAL's own mask of a band knows one of the two."""
    values = np.full((4, 8, 9), 100, dtype=np.int16)
    values[0, 0], values[1, 1], values[2, 2] = -9999, -9999, -9999
    values[3, :, 0] = 0
    path = write_scene(tmp_path / "scene.tif", values, nodata=-9999)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.grey] * 3 + [ColorInterp.alpha]
    found = known(path, (3, 1, 2))
    expected = np.ones((3, 8, 9), dtype=bool)
    expected[0, 2] = expected[1, 0] = expected[2, 1] = False
    expected[:, :, 0] = False
    assert (found == expected).all()


def test_values_that_are_not_finite_are_missing(tmp_path: Path) -> None:
    values = np.ones((3, 4, 5), dtype=np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf
    found = known(write_scene(tmp_path / "scene.tif", values), (1, 2, 3))
    assert (found == np.isfinite(values)).all()


def test_a_narrow_range_far_from_zero_keeps_its_digits() -> None:
    """Neighbouring integers near 4e9 are one number in float32."""
    values = np.array([[[4_000_000_000, 4_000_000_001, 4_000_000_004]]], dtype=np.uint32)
    found = unit_range(values, ((4_000_000_000.0, 4_000_000_004.0),))
    np.testing.assert_allclose(found[0, 0], [0, 0.25, 1], atol=1e-6)
    assert found.dtype == np.float32


def test_the_box_of_an_area_ends_where_the_grid_ends() -> None:
    grid = WorkingGrid.over(100, 50, NORTH_UP)
    corners = [grid.transform @ place for place in ((-5, 20), (120, 20), (120, 70), (-5, 70))]
    assert pixel_box(dict(mapping(shapely.Polygon(corners))), grid) == (20, 0, 50, 100)
    corners = [grid.transform @ place for place in ((3.2, -9), (7.9, -9), (7.9, 4.1), (3.2, 4.1))]
    assert pixel_box(dict(mapping(shapely.Polygon(corners))), grid) == (0, 3, 5, 8)


def test_rows_and_columns_may_shrink_differently(tmp_path: Path) -> None:
    rows = np.arange(80)[:, None] * np.ones((1, 60))
    path = write_scene(tmp_path / "scene.tif", np.stack([rows] * 3).astype(np.uint8))
    info = info_of(path)
    working = WorkingGrid.over(info.width, info.height, info.affine, 1.0, 2.0)
    with open_reader(str(path), ANY_FILE, SETTINGS) as reader:
        found = SceneView(reader, info, working).read((10, 5, 20, 25))
    assert found.values.shape == (3, 10, 20)
    expected = 2 * np.arange(10, 20) + 0.5
    assert np.abs(found.values[0] - expected[:, None]).max() <= 1
    assert read(path, (20, 5, 40, 25)).values[0, 0, 0] == 20
