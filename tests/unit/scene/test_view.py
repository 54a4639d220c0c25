"""Windows of a scene: past its border, in other resolutions, with pixels missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.enums import Resampling

from geogaze.errors import SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.scaling import unit_range
from geogaze.scene.readers import open_reader
from geogaze.scene.view import Damage, SceneView
from tests.factories import make_scene, make_values, write_scene
from tests.unit.scene.rasters import ANY_FILE, SETTINGS, damage, info_of, read, whole


def write_masked(path: Path, values: NDArray[np.uint8], mask: NDArray[np.bool_], how: str) -> Path:
    """A scene whose pixels are missing where the mask is False, said in one of the four ways."""
    match how:
        case "nodata":
            return write_scene(path, np.where(mask, values, 0).astype(values.dtype), nodata=0)
        case "nan":
            return write_scene(path, np.where(mask, values, np.nan).astype(np.float32))
        case "alpha":
            alpha = (255 * mask[None]).astype(np.uint8)
            return write_scene(
                path, np.concatenate([values, alpha]), photometric="RGB", alpha="yes"
            )
        case _:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                write_scene(path, values)
                with rasterio.open(path, "r+") as dataset:
                    dataset.write_mask(mask)
            return path


HOW = pytest.mark.parametrize("how", ["nodata", "nan", "alpha", "mask"])


# At the scene's resolution


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_values_come_as_they_are(tmp_path: Path, dtype: str) -> None:
    values = make_values(70, 90, dtype=dtype)
    pixels = read(write_scene(tmp_path / "s.tif", values))
    assert pixels.values.dtype == dtype
    np.testing.assert_array_equal(pixels.values, values)
    assert pixels.valid.all()


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((40, 50, 110, 140), id="inside"),
        pytest.param((-30, 50, 20, 100), id="top"),
        pytest.param((180, 50, 260, 100), id="bottom"),
        pytest.param((50, -30, 100, 20), id="left"),
        pytest.param((50, 240, 100, 300), id="right"),
        pytest.param((-10, -20, 230, 300), id="all sides"),
        pytest.param((-100, -100, 1, 1), id="one pixel"),
        pytest.param((-50, 0, 0, 64), id="above"),
        pytest.param((0, 260, 64, 324), id="right of it"),
        pytest.param((500, 500, 564, 564), id="far off"),
    ],
)
def test_windows_may_reach_past_the_scene(scene: Path, box: Box) -> None:
    with rasterio.open(scene) as dataset:
        padded = np.pad(dataset.read(), ((0, 0), (600, 600), (600, 600)))
    top, left, bottom, right = (edge + 600 for edge in box)
    pixels = read(scene, box)
    assert pixels.box == box
    np.testing.assert_array_equal(pixels.values, padded[:, top:bottom, left:right])
    rows, cols = np.ogrid[box[0] : box[2], box[1] : box[3]]
    np.testing.assert_array_equal(
        pixels.valid, (rows >= 0) & (rows < 200) & (cols >= 0) & (cols < 260)
    )


@pytest.mark.parametrize("bands", [(3, 1, 2), (2, 2, 2)])
def test_bands_come_in_the_models_order(scene: Path, bands: tuple[int, ...]) -> None:
    expected = read(scene).values[[band - 1 for band in bands]]
    np.testing.assert_array_equal(read(scene, bands=bands).values, expected)


@HOW
def test_missing_pixels_are_not_valid(tmp_path: Path, how: str) -> None:
    mask = np.random.default_rng(1).random((70, 90)) < 0.7
    path = write_masked(tmp_path / "s.tif", make_values(70, 90), mask, how)
    np.testing.assert_array_equal(read(path).valid, mask)


def test_a_dark_colour_is_not_missing(tmp_path: Path) -> None:
    """Only where nodata stands in every band the pixel has no data."""
    values = np.full((3, 64, 64), 90, np.uint8)
    values[1, 10] = 0
    values[:2, 20] = 0
    values[:, 30] = 0
    pixels = read(write_scene(tmp_path / "s.tif", values, nodata=0))
    np.testing.assert_array_equal(np.flatnonzero(~pixels.valid.all(axis=1)), [30])


def test_one_band_without_a_number_is_missing_and_the_others_are_not(tmp_path: Path) -> None:
    values = make_values(64, 64, dtype="float32")
    values[2, 5, 6] = np.nan
    values[0, 7, 8] = np.inf
    values[:, 9, 10] = np.nan
    pixels = read(write_scene(tmp_path / "s.tif", values))
    assert np.argwhere(~pixels.known)[:, 1:].tolist() == [[7, 8], [9, 10], [9, 10], [5, 6], [9, 10]]
    assert np.argwhere(~pixels.valid).tolist() == [[9, 10]]


# Damage

BLOCK = "Block (row 1, column 1; pixel rows 64-127, columns 64-127)"


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_scene(tmp_path / "clean.tif", 256, 320, compress="deflate")


@pytest.fixture
def damaged(tmp_path: Path, clean: Path) -> Path:
    path = tmp_path / "damaged.tif"
    path.write_bytes(clean.read_bytes())
    damage(path)
    return path


SCALES = pytest.mark.parametrize("scale", [1, 8 / 7, 1.5, 2, 3, 0.5])


@SCALES
def test_damage_is_told_with_its_place(damaged: Path, scale: float) -> None:
    assert read(damaged, (0, 0, int(56 / scale), int(56 / scale)), scale=scale).valid.all()
    with pytest.raises(SceneUnreadable) as told:
        read(damaged, (0, 0, int(100 / scale), int(100 / scale)), scale=scale)
    assert BLOCK in str(told.value)
    assert str(damaged) in str(told.value)


@SCALES
def test_lenient_reading_leaves_out_the_block_and_what_depends_on_it(
    clean: Path, damaged: Path, scale: float
) -> None:
    pixels, whole = read(damaged, scale=scale, lenient=True), read(clean, scale=scale)
    (found,) = pixels.damage
    assert found.reason == f"{BLOCK} is damaged"
    top, left, bottom, right = found.box
    lost = np.zeros(pixels.valid.shape, dtype=bool)
    lost[top:bottom, left:right] = True
    np.testing.assert_array_equal(pixels.valid, ~lost)
    np.testing.assert_array_equal(pixels.values, np.where(lost, 0, whole.values))
    if scale == 1:
        assert found.box == (64, 64, 128, 128)
    else:
        reach = 2 + 4 / scale
        assert 0 <= 64 / scale - top <= reach
        assert 0 <= right - 128 / scale <= reach


@pytest.mark.parametrize("scale", [1, 2])
def test_a_window_past_the_scene_may_be_damaged_too(damaged: Path, scale: int) -> None:
    box = (-10, -20, 80 // scale, 300)
    (found,) = read(damaged, box, scale=scale, lenient=True).damage
    assert BLOCK in found.reason


def test_damage_nearby_is_no_damage_here(damaged: Path) -> None:
    assert read(damaged, (128, 0, 256, 320), lenient=True).damage == ()
    assert read(damaged, (64, 128, 128, 192), lenient=True).valid.all()


def test_each_damaged_block_is_told(damaged: Path) -> None:
    damage(damaged, 1, 2)
    damage(damaged, 3, 4)
    pixels = read(damaged, lenient=True)
    assert [found.box for found in pixels.damage] == [
        (64, 64, 128, 128),
        (64, 128, 128, 192),
        (192, 256, 256, 320),
    ]
    assert (~pixels.valid).sum() == 3 * 64 * 64


def test_damage_touches_what_shares_a_pixel() -> None:
    found = Damage((64, 64, 128, 128), "")
    assert found.touches((0, 0, 65, 65))
    assert found.touches((127, 127, 200, 200))
    assert found.touches((100, 100, 101, 101))
    assert not found.touches((0, 0, 64, 200))
    assert not found.touches((64, 128, 128, 200))


def test_a_damaged_overview_is_damage_where_it_is_looked_at(clean: Path) -> None:
    with rasterio.open(clean, "r+") as dataset:
        dataset.build_overviews([2], Resampling.average)
    whole = read(clean, scale=2)
    damage(clean, 0, 0, overview=0)
    assert read(clean).valid.all()
    with pytest.raises(SceneUnreadable, match=r"working pixel rows 0-"):
        read(clean, scale=2)
    pixels = read(clean, scale=2, lenient=True)
    assert pixels.damage
    assert not pixels.valid[:60, :60].any()
    assert pixels.valid[70:].all()
    np.testing.assert_array_equal(pixels.values[:, 70:], whole.values[:, 70:])
    assert not any(found.touches((70, 70, 128, 160)) for found in pixels.damage)


def test_small_reads_show_what_is_left(clean: Path, damaged: Path) -> None:
    info = info_of(clean)
    for lenient in (False, True):
        with open_reader(str(damaged), ANY_FILE, SETTINGS) as reader:
            view = SceneView(reader, info, whole(info), lenient=lenient)
            if not lenient:
                with pytest.raises(SceneUnreadable, match="damaged"):
                    view.read_small((0, 0, 256, 320), (64, 80))
                continue
            pixels = view.read_small((0, 0, 256, 320), (64, 80))
    with open_reader(str(clean), ANY_FILE, SETTINGS) as reader:
        view = SceneView(reader, info, whole(info))
        expected = view.read_small((0, 0, 256, 320), (64, 80))
    assert not pixels.valid[18:30, 18:30].any()
    assert pixels.valid.mean() > 0.75
    np.testing.assert_array_equal(pixels.values[:, pixels.valid], expected.values[:, pixels.valid])


# At another resolution


def ramp(height: int, width: int) -> NDArray[np.float32]:
    """Band 1 tells the column, band 2 the row of each pixel's centre."""
    rows, cols = np.mgrid[:height, :width].astype(np.float32) + 0.5
    return np.stack([cols, rows, cols])


def assert_in_place(path: Path, box: Box, scale: float, within: float) -> None:
    """Working pixels tell the scene position of their centres, ``within`` scene pixels."""
    values = read(path, box, scale=scale).values
    cols = (np.arange(box[1], box[3]) + 0.5) * scale
    rows = (np.arange(box[0], box[2]) + 0.5) * scale
    np.testing.assert_allclose(values[0], np.broadcast_to(cols, values[0].shape), atol=within)
    np.testing.assert_allclose(values[1].T, np.broadcast_to(rows, values[1].T.shape), atol=within)


@pytest.mark.parametrize("scale", [0.5, 8 / 7, 2.0, 3.0, 4.0])
def test_other_resolutions_keep_everything_in_its_place(tmp_path: Path, scale: float) -> None:
    path = write_scene(tmp_path / "s.tif", ramp(168, 192))
    side = int(168 / scale)
    # Away from the border, where the kernel has less on one side. GDAL's kernel is not quite
    # symmetric at odd ratios.
    assert_in_place(path, (4, 4, side - 4, side - 4), scale, within=0.07)


@pytest.mark.parametrize("box", [(20, 20, 33, 34), (4, 4, 33, 34), (4, 30, 33, 34)])
def test_a_last_pixel_that_the_scene_only_half_fills_does_not_move_the_others(
    tmp_path: Path, box: Box
) -> None:
    """100 / 3 is 33.3: the 34th working pixel reaches past the scene."""
    path = write_scene(tmp_path / "s.tif", ramp(100, 100))
    values = read(path, box, scale=3.0).values
    expected = (np.arange(box[1], 32) + 0.5) * 3
    np.testing.assert_allclose(values[0, 0, : len(expected)], expected, atol=0.1)


@pytest.mark.parametrize("scale", [8 / 7, 3.0, 4.0])
def test_a_pixel_does_not_depend_on_the_window_it_is_read_in(tmp_path: Path, scale: float) -> None:
    """Otherwise neighbouring chunks would see different scenes."""
    path = write_scene(tmp_path / "s.tif", make_values(168, 168, dtype="float32"))
    everything = read(path, scale=scale).values
    box = (5, 7, 29, 38)
    np.testing.assert_allclose(
        read(path, box, scale=scale).values, everything[:, 5:29, 7:38], atol=2e-3
    )


def test_coarser_pixels_average_what_they_cover(tmp_path: Path) -> None:
    values = make_values(256, 256)
    values[:, ::2, ::2] = 0  # detail that picking single pixels would turn into noise
    actual = read(write_scene(tmp_path / "s.tif", values), scale=4.0).values.astype(float)
    assert actual.shape == (3, 64, 64)
    areas = values.reshape(3, 64, 4, 64, 4).mean(axis=(2, 4))
    error = np.sqrt(np.mean((actual - areas) ** 2))
    picked = np.sqrt(np.mean((values[:, 2::4, 2::4] - areas) ** 2))
    assert error < 0.25 * picked


def test_coarser_pixels_come_from_overviews(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "s.tif", np.full((3, 256, 256), 100, np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.full((3, 256, 256), 200, np.uint8))  # overviews stay as they are
    assert (read(path).values == 200).all()
    assert (read(path, scale=4.0).values == 100).all()


@HOW
@pytest.mark.parametrize("scale", [8 / 7, 3.0])
def test_missing_pixels_do_not_bleed_into_valid_ones(
    tmp_path: Path, how: str, scale: float
) -> None:
    values = np.full((3, 168, 168), 200, np.uint8)
    mask = np.ones((168, 168), dtype=bool)
    mask[:40, :77] = False
    values[:, ~mask] = 0
    pixels = read(write_masked(tmp_path / "s.tif", values, mask, how), scale=scale)
    assert pixels.valid[-1].all()
    assert not pixels.valid[: int(38 / scale), : int(75 / scale)].any()
    assert (pixels.values[:, pixels.valid] == 200).all()


def test_windows_past_a_coarser_scene_are_filled(scene: Path) -> None:
    pixels = read(scene, (-2, -3, 55, 70), scale=4.0)
    rows, cols = np.ogrid[-2:55, -3:70]
    inside = (rows >= 0) & (rows < 50) & (cols >= 0) & (cols < 65)
    np.testing.assert_array_equal(pixels.valid, inside)
    assert (pixels.values[:, ~inside] == 0).all()
    np.testing.assert_array_equal(pixels.values[:, 2:52, 3:68], read(scene, scale=4.0).values)


def test_a_whole_scene_in_one_working_pixel(scene: Path) -> None:
    pixels = read(scene, scale=1000.0)
    assert pixels.values.shape == (3, 1, 1)
    assert pixels.valid.all()


def test_small_reads_show_the_whole_window(scene: Path) -> None:
    info = info_of(scene)
    with open_reader(str(scene), ANY_FILE, SETTINGS) as reader:
        pixels = SceneView(reader, info, whole(info)).read_small((0, 0, 200, 260), (20, 26))
    expected = read(scene, scale=10.0)
    np.testing.assert_array_equal(pixels.values, expected.values)
    np.testing.assert_array_equal(pixels.valid, expected.valid)


# Scaling


def test_unit_range_by_hand() -> None:
    values = np.array([[[5, 10, 15, 20, 25]], [[-5, 0, 25, 100, 200]]], np.int16)
    scaled = unit_range(values, ((10, 20), (0, 100)))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[[0, 0, 0.5, 1, 1]], [[0, 0, 0.25, 1, 1]]])


@given(
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    low=st.floats(-1e5, 1e5),
    span=st.floats(1e-2, 1e5),
)
def test_unit_range_never_leaves_0_to_1(dtype: str, low: float, span: float) -> None:
    kind = np.dtype(dtype)
    extremes = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    values = np.array([[[extremes.min, 0, extremes.max]]], kind)
    if kind.kind == "f":
        values = np.concatenate([values, [[[np.nan, np.inf, -np.inf]]]], axis=2, dtype=kind)
    scaled = unit_range(values, ((low, low + span),))
    assert np.isfinite(scaled).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1
