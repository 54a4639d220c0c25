"""Real files, where this machine has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geogaze.errors import GeogazeError, SceneUnusable
from tests.conftest import DATA
from tests.unit.scene.rasters import info_of, read

FILES = [path for folder in ("rasters", "scenes") for path in sorted((DATA / folder).glob("*"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_files_are_described_and_read_or_refused(path: Path) -> None:
    bands = None
    try:
        try:
            info = info_of(path)
        except SceneUnusable as error:
            if "--bands 1,1,1" not in str(error):
                raise
            bands = (1, 1, 1)
            info = info_of(path, bands=bands)
        row, col = info.height // 2, info.width // 2
        pixels = read(path, (row, col, row + 64, col + 64), bands=bands)
        coarse = read(path, scale=max(info.width, info.height) / 64, bands=bands)
    except GeogazeError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert path.name in refusal
        return
    assert info.pixel_metres > 0
    assert all(low < high for low, high in info.rescale)
    assert pixels.values.dtype == info.dtype
    assert pixels.values.shape == (3, 64, 64)
    assert max(coarse.valid.shape) == 64
    assert np.isfinite(coarse.values[:, coarse.valid]).all()


@pytest.mark.parametrize("kind", ["_alpha", "_mask", "_nodata"])
def test_valid_pixels_are_those_that_the_file_says(data: Path, kind: str) -> None:
    path = data / f"rasters/201404_13SED190110_201404_0x1500m_CL_1{kind}.tif"
    with rasterio.open(path) as dataset:
        expected = dataset.dataset_mask() > 0
    assert not expected.all()
    np.testing.assert_array_equal(read(path).valid, expected)


def test_masks_beside_the_file_are_not_read(data: Path) -> None:
    assert read(data / "rasters/201404_13SED190110_201404_0x1500m_CL_1_extmask.tif").valid.all()


def test_collar_is_missing_and_does_not_stretch_the_range(data: Path) -> None:
    path = data / "scenes/airport-uint16-collar.tif"
    info = info_of(path)
    assert all(300 <= low < high <= 40 * 255 + 300 for low, high in info.rescale)
    pixels = read(path, (0, 0, 310, 210))
    assert not pixels.valid[:300].any()
    assert not pixels.valid[:, :200].any()
    assert pixels.valid[300:, 200:].all()


def test_rotated_scene_has_the_metres_of_the_others(data: Path) -> None:
    info = info_of(data / "scenes/airport-rotated.tif")
    assert info.affine.b != 0
    assert info.pixel_metres == pytest.approx(0.5)
