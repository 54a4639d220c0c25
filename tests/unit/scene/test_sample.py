"""What is read of a scene to plan with it, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scene import sample
from geogaze.scene.asking import Asking
from geogaze.scene.header import describe
from tests.factories import NORTH_UP, make_scene, make_values, write_scene
from tests.unit.scene.rasters import RGB, info_of, read


class Counted:
    """A dataset that counts the pixels asked of it."""

    def __init__(self, dataset: DatasetReader) -> None:
        self._dataset = dataset
        self.pixels = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def read(self, *args: Any, window: Window | None = None, **options: Any) -> Any:
        size = window or self._dataset
        self.pixels += size.width * size.height
        return self._dataset.read(*args, window=window, **options)


def pixels_read(path: Path, **choices: Any) -> int:
    with rasterio.open(path) as dataset:
        counted = Counted(dataset)
        describe(
            counted,
            Asking("s.tif"),
            RGB,
            choices.get("bands"),
            choices.get("rescale"),  # type: ignore[arg-type]
        )
    return counted.pixels


def sparse(path: Path, side: int, dtype: str = "uint16", **profile: Any) -> Path:
    """A file of a few kilobytes that says it is large."""
    options = {"driver": "GTiff", "count": 3, "width": side, "height": side, "dtype": dtype}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "sparse_ok": True}
    place = {"crs": "EPSG:32631", "transform": NORTH_UP}
    with rasterio.open(path, "w", **{**options, **tiles, **place, **profile}) as dataset:
        dataset.write(make_values(256, 256, dtype=dtype), window=Window(0, 0, 256, 256))
    return path


def test_nothing_is_read_of_bytes_or_where_a_rescale_is_given(tmp_path: Path) -> None:
    assert pixels_read(make_scene(tmp_path / "bytes.tif")) == 0
    path = make_scene(tmp_path / "s.tif", dtype="uint16")
    assert pixels_read(path, rescale=[(0, 3000)]) == 0
    assert pixels_read(path) == 200 * 260


def test_one_block_tells_that_bytes_are_not_all_missing(tmp_path: Path) -> None:
    path = tmp_path / "bytes.tif"
    write_scene(path, make_values(512, 512), nodata=255, tiled=True, blockxsize=64, blockysize=64)
    assert pixels_read(path) == 64 * 64


@pytest.mark.parametrize("overviews", [[], [2]], ids=["none", "too fine ones"])
def test_a_large_scene_is_sampled_and_no_more(
    tmp_path: Path, overviews: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_BUDGET", 3 * 2 * 256 * 256 * 20)
    path = sparse(tmp_path / "s.tif", 4096)
    if overviews:
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews(overviews, Resampling.nearest)
    assert 0 < pixels_read(path) <= 20 * 256 * 256


def test_blocks_that_are_not_stored_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One block of 256 has values; a sample of two blocks would hardly meet it."""
    monkeypatch.setattr(sample, "_BUDGET", 3 * 2 * 256 * 256 * 2)
    path = sparse(tmp_path / "s.tif", 4096, nodata=0)
    values = make_values(256, 256, dtype="uint16")
    np.testing.assert_allclose(
        info_of(path).rescale, np.percentile(values, (2, 98), axis=(1, 2)).T, rtol=1e-3
    )


def test_a_sample_without_a_value_asks_for_the_rescale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_BUDGET", 3 * 2 * 64 * 64)
    path = write_scene(tmp_path / "s.tif", np.zeros((3, 256, 256), np.uint16), nodata=0)
    with pytest.raises(SceneUnusable, match=r"in the 1 of 16 blocks.*--rescale LO,HI"):
        info_of(path)
    assert info_of(path, rescale=[(0, 1)]).rescale_source == "given"


def test_the_sample_is_spread_over_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_BUDGET", 3 * 2 * 64 * 64 * 32)
    rows, _ = np.mgrid[:1024, :1024].astype(np.uint16)
    low, high = info_of(write_scene(tmp_path / "s.tif", np.stack([rows] * 3))).rescale[0]
    assert 0 <= low < 100
    assert 920 < high < 1024


def test_where_the_overview_missed_all_every_valid_block_counts(tmp_path: Path) -> None:
    """Not the first one alone."""
    values = np.zeros((3, 2100, 2100), np.uint16)
    values[:, 2, 1::64], values[:, 2003, 1::64] = 100, 900
    path = write_scene(tmp_path / "s.tif", values, nodata=0, compress="deflate")
    assert info_of(path).rescale == ((100, 900),) * 3


# Bands


def test_each_band_is_stretched_by_its_own_valid_values(tmp_path: Path) -> None:
    """-9999 in one band is no measurement of that band, and says nothing of the others."""
    values = make_values(120, 140, dtype="int16").astype(np.int16) // 100
    expected = np.percentile(values, (2, 98), axis=(1, 2)).T
    values[1, :, 70:] = -9999
    info = info_of(write_scene(tmp_path / "s.tif", values, nodata=-9999))
    np.testing.assert_allclose(info.rescale[::2], expected[::2])
    np.testing.assert_allclose(
        info.rescale[1], np.percentile(values[1, :, :70], (2, 98)), rtol=1e-6
    )
    pixels = read(tmp_path / "s.tif")
    assert pixels.valid.all()
    np.testing.assert_array_equal(pixels.known[1], np.arange(140) < 70 * np.ones((120, 1)))
    shown = pixels.shown(info.rescale, (0.4, 0.45, 0.5))
    assert (shown[1, :, 70:] == np.float32(0.45)).all()
    assert pixels.known[::2].all()


def test_a_band_without_a_value_is_told(tmp_path: Path) -> None:
    values = make_values(70, 80, dtype="float32")
    values[2] = np.nan
    info = info_of(write_scene(tmp_path / "s.tif", values))
    assert info.rescale[2] == (0, 1)
    assert info.warnings == ("Band 3 has no valid value that was found: it is shown as mean.",)


@pytest.mark.parametrize("value", [1e9, 16_777_216, 1e300, 0.0])
def test_a_constant_band_has_a_range_that_does_not_collapse(tmp_path: Path, value: float) -> None:
    values = np.full((3, 64, 64), value, np.float64)
    info = info_of(write_scene(tmp_path / "s.tif", values))
    pixels = read(tmp_path / "s.tif")
    assert (pixels.shown(info.rescale, (0.5,) * 3) == 0).all()
    assert all("nearly everywhere" in warning for warning in info.warnings)
    assert len(info.warnings) == 3


@pytest.mark.parametrize("low", [-1e308, -1.7e308])
def test_a_range_beyond_all_numbers_is_refused(tmp_path: Path, low: float) -> None:
    path = make_scene(tmp_path / "s.tif", 64, 64, dtype="float64")
    with pytest.raises(SceneUnusable, match="too wide to compute with"):
        info_of(path, rescale=[(low, 1.7e308)])


def bits(path: Path, count: int) -> Path:
    values = np.random.default_rng(0).integers(0, 2**count, (3, 64, 64), dtype=np.uint8)
    return write_scene(path, values, nbits=count)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_few_bits_have_a_range_of_their_own(tmp_path: Path, count: int) -> None:
    info = info_of(bits(tmp_path / "s.tif", count))
    assert info.rescale == ((0, 2**count - 1),) * 3
    assert info.rescale_source == f"full range of {count}-bit data"


# Alpha


def with_alpha(
    path: Path, values: NDArray[Any], alpha: dict[int, NDArray[np.bool_]], **profile: Any
) -> Path:
    """A scene some of whose bands (from 1) are alpha."""
    for band, opaque in alpha.items():
        values[band - 1] = np.where(opaque, 200, 0)
    write_scene(path, values, photometric="minisblack", **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [
            ColorInterp.alpha if band in alpha else ColorInterp.gray
            for band in range(1, len(values) + 1)
        ]
    return path


LEFT = np.broadcast_to(np.arange(90) < 50, (70, 90))
TOP = np.broadcast_to((np.arange(70) < 30)[:, None], (70, 90))


@pytest.mark.parametrize(
    ("bands", "place", "profile"),
    [
        pytest.param(4, 4, {}, id="last of four"),
        pytest.param(6, 6, {}, id="last of six"),
        pytest.param(6, 1, {}, id="first of six"),
        pytest.param(4, 1, {}, id="first of four"),
        pytest.param(5, 3, {}, id="in the middle"),
        pytest.param(4, 4, {"nodata": 255}, id="beside nodata"),
        pytest.param(4, 4, {"interleave": "band"}, id="band by band"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_alpha_counts_wherever_it_stands(
    tmp_path: Path, bands: int, place: int, profile: dict[str, Any], scale: float
) -> None:
    values = make_values(70, 90, bands=bands) // 2
    path = with_alpha(tmp_path / "s.tif", values, {place: LEFT}, **profile)
    step = int(scale)
    expected = LEFT[::step, ::step]
    np.testing.assert_array_equal(read(path, scale=scale).valid, expected)
    np.testing.assert_array_equal(read(path, bands=(2, 2, 2), scale=scale).valid, expected)


def test_every_alpha_band_counts(tmp_path: Path) -> None:
    values = make_values(70, 90, bands=6)
    path = with_alpha(tmp_path / "s.tif", values, {2: LEFT, 5: TOP})
    np.testing.assert_array_equal(read(path).valid, LEFT & TOP)
    assert info_of(path).bands == (1, 3, 4)


def test_a_nodata_value_counts_beside_an_internal_mask(tmp_path: Path) -> None:
    values = make_values(70, 90)
    values[:, ~TOP] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_scene(tmp_path / "s.tif", values, nodata=0)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(LEFT)
    np.testing.assert_array_equal(read(path).valid, LEFT & TOP)


# Blocks


def test_bands_that_lie_apart_are_read_apart(tmp_path: Path) -> None:
    """Imaging spectrometers have hundreds."""
    path = tmp_path / "s.tif"
    options = {"driver": "GTiff", "count": 300, "width": 512, "height": 512, "dtype": "uint16"}
    place = {"crs": "EPSG:32631", "transform": NORTH_UP}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True}
    with rasterio.open(path, "w", **options, **place, **tiles, interleave="band") as dataset:
        dataset.write(make_values(512, 512, dtype="uint16"), [30, 20, 10])
    assert info_of(path, bands=(30, 20, 10)).bands == (30, 20, 10)
    with rasterio.open(path, "w", **options, **place, **tiles, interleave="pixel") as dataset:
        dataset.write(make_values(512, 512, dtype="uint16"), [30, 20, 10])
    assert info_of(path, bands=(30, 20, 10)).bands == (30, 20, 10)
    wide = {**tiles, "blockxsize": 1024, "blockysize": 1024}
    with rasterio.open(path, "w", **options, **place, **wide, interleave="pixel") as dataset:
        pass
    with pytest.raises(SceneUnreadable, match=r"1024 × 1024 pixels, 600 MiB.*INTERLEAVE=BAND"):
        info_of(path, bands=(30, 20, 10))
