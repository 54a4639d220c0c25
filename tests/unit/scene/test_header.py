"""What a scene's header tells: size, place, bands, and the range of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from geogaze.errors import GeogazeError, SceneUnreadable, SceneUnusable
from tests.factories import NORTH_UP, ROTATED, make_scene, make_values, write_scene
from tests.unit.scene.rasters import RGB, damage, info_of


def test_description_of_a_plain_scene(scene: Path) -> None:
    info = info_of(scene)
    assert (info.width, info.height, info.dtype, info.bands) == (260, 200, "uint8", (1, 2, 3))
    assert info.epsg == 32631
    assert info.affine == NORTH_UP
    assert info.uri == str(scene)
    assert info.pixel_metres == pytest.approx(0.5)


# Rescaling


def test_uint8_is_used_as_it_is(scene: Path) -> None:
    info = info_of(scene)
    assert info.rescale == ((0, 255),) * 3
    assert info.rescale_source == "full range of uint8"


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64", "int8"])
def test_other_types_are_stretched_between_percentiles(tmp_path: Path, dtype: str) -> None:
    values = make_values(100, 120, dtype=dtype)
    info = info_of(write_scene(tmp_path / "scene.tif", values))
    assert info.dtype == dtype
    np.testing.assert_allclose(
        info.rescale, np.percentile(values.astype(float), (2, 98), axis=(1, 2)).T, rtol=1e-6
    )
    assert info.rescale_source == "percentiles 2 and 98 of the scene"


@pytest.mark.parametrize("missing", [0, np.nan])
def test_percentiles_look_only_at_valid_pixels(tmp_path: Path, missing: float) -> None:
    values = 1000 + make_values(100, 120, dtype="float32")
    values[:, :60] = missing
    info = info_of(write_scene(tmp_path / "scene.tif", values, nodata=0))
    assert all(1000 <= low < high <= 1001 for low, high in info.rescale)


def test_constant_scene_has_a_range_nonetheless(tmp_path: Path) -> None:
    info = info_of(write_scene(tmp_path / "s.tif", np.full((3, 64, 64), 500, np.uint16)))
    assert info.rescale == ((500, 501),) * 3


def test_few_valid_pixels_suffice(tmp_path: Path) -> None:
    """They slip through the decimated read that looks at the scene first."""
    values = np.zeros((1, 2000, 2100), np.uint16)
    values[:, 1501, 1777] = 700
    path = write_scene(tmp_path / "s.tif", values, nodata=0, compress="deflate")
    assert info_of(path, names=("pan",)).rescale == ((700, 701),)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ([(10, 20)], ((10, 20),) * 3),
        ([(10, 20), (0, 1), (-5.5, 5)], ((10, 20), (0, 1), (-5.5, 5))),
    ],
)
def test_given_rescale_is_used(scene: Path, given: Any, used: Any) -> None:
    info = info_of(scene, rescale=given)
    assert info.rescale == used
    assert info.rescale_source == "given"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(20, 10)], "range 20,10 is empty or reversed"),
        ([(0, 1), (5, 5), (0, 1)], "range 5,5 is empty or reversed"),
        ([(float("nan"), 1)], "range nan,1 is empty or reversed"),
        ([(0, 1), (0, 1)], "2 rescale ranges for 3 bands"),
    ],
)
def test_rescale_that_makes_no_sense_is_refused(scene: Path, given: Any, message: str) -> None:
    with pytest.raises(SceneUnusable, match=message):
        info_of(scene, rescale=given)


# Bands


def with_colours(path: Path, *colours: ColorInterp, dtype: str = "uint8") -> Path:
    make_scene(path, 70, 80, bands=len(colours), dtype=dtype, photometric="minisblack")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = colours
    return path


C = ColorInterp


@pytest.mark.parametrize(
    ("colours", "names", "chosen"),
    [
        pytest.param((C.blue, C.green, C.red), RGB, (3, 2, 1), id="bgr"),
        pytest.param((C.gray, C.blue, C.green, C.red), RGB, (4, 3, 2), id="colours after another"),
        pytest.param((C.red, C.green, C.blue, C.alpha), RGB, (1, 2, 3), id="rgba"),
        pytest.param((C.gray, C.undefined, C.undefined, C.undefined), RGB, (1, 2, 3), id="none"),
        pytest.param((C.gray, C.alpha), ("pan",), (1,), id="grey and alpha"),
        pytest.param((C.alpha, C.gray), ("pan",), (2,), id="alpha first"),
        pytest.param((C.red, C.green, C.blue, C.nir), (*RGB, "nir"), (1, 2, 3, 4), id="four"),
    ],
)
def test_bands_are_chosen_by_colour_then_by_position(
    tmp_path: Path,
    colours: tuple[ColorInterp, ...],
    names: tuple[str, ...],
    chosen: tuple[int, ...],
) -> None:
    assert info_of(with_colours(tmp_path / "s.tif", *colours), names=names).bands == chosen


@pytest.mark.parametrize("bands", [(3, 2, 1), (1, 1, 1), (2, 2, 3)])
def test_asked_bands_are_taken(scene: Path, bands: tuple[int, ...]) -> None:
    assert info_of(scene, bands=bands).bands == bands


@pytest.mark.parametrize("bands", [(0, 1, 2), (1, 2, 4), (-1, 1, 2), (1, 2), (1, 2, 3, 1), ()])
def test_bands_that_do_not_fit_are_refused(scene: Path, bands: tuple[int, ...]) -> None:
    with pytest.raises(SceneUnusable) as refusal:
        info_of(scene, bands=bands)
    assert str(list(bands)) in str(refusal.value)
    assert str(scene) in str(refusal.value)
    assert "bands 1 to 3" in str(refusal.value)


@pytest.mark.parametrize("colours", [(C.gray,), (C.gray, C.alpha), (C.red, C.green, C.alpha)])
def test_too_few_bands_are_refused_with_a_way_out(
    tmp_path: Path, colours: tuple[ColorInterp, ...]
) -> None:
    plain = len([c for c in colours if c is not C.alpha])
    path = with_colours(tmp_path / "s.tif", *colours)
    with pytest.raises(SceneUnusable, match=rf"has {plain} band\(s\).*--bands 1,1,1") as refusal:
        info_of(path)
    assert str(path) in str(refusal.value)


# Metres


def centred(lon: float, lat: float, crs: str, side: float) -> Affine:
    """An affine that puts the middle of 70 × 70 pixels at a place."""
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    return Affine(side, 0, x - 35 * side, 0, -side, y + 35 * side)


@pytest.mark.parametrize(
    ("crs", "transform", "metres"),
    [
        pytest.param("EPSG:32631", NORTH_UP, 0.5, id="utm"),
        pytest.param("EPSG:32631", ROTATED, 0.5, id="rotated"),
        pytest.param("EPSG:32631", NORTH_UP @ Affine.scale(1, 4), 1.0, id="oblong pixels"),
        # A degree at 60° N: 111.412 km of latitude, 55.800 km of longitude (WGS 84).
        pytest.param("EPSG:4326", centred(10, 60, "OGC:CRS84", 1e-5), 0.78847, id="degrees"),
        # The Mercator scale there: 1 / 1.9950 along parallels, 1 / 1.9983 along meridians.
        pytest.param("EPSG:3857", centred(10, 60, "EPSG:3857", 1), 0.50084, id="web mercator"),
        pytest.param("EPSG:2225", centred(-122, 40.5, "EPSG:2225", 1), 0.3048006, id="us feet"),
        pytest.param("EPSG:32631+5773", NORTH_UP, 0.5, id="with heights"),
    ],
)
def test_side_of_a_pixel_on_the_ground(
    tmp_path: Path, crs: str, transform: Affine, metres: float
) -> None:
    path = make_scene(tmp_path / "s.tif", 70, 70, crs=crs, transform=transform)
    assert info_of(path).pixel_metres == pytest.approx(metres, rel=2e-5)


# Refusals


def assert_refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(SceneUnusable, match=message) as refusal:
        info_of(path, **options)
    assert str(path) in str(refusal.value)


def test_scene_without_crs_is_refused(tmp_path: Path) -> None:
    assert_refused(make_scene(tmp_path / "s.tif", crs=None), "has no CRS.*gdal_translate -a_srs")


def test_scene_without_affine_is_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", transform=Affine.identity())
    assert_refused(path, "has no affine")


def test_scene_with_ground_control_points_only_is_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", crs=None, transform=Affine.identity())
    with rasterio.open(path, "r+") as dataset:
        corners = [(0, 0), (0, 260), (200, 0), (200, 260)]
        dataset.gcps = (
            [GroundControlPoint(row, col, *(NORTH_UP @ (col, row))) for row, col in corners],
            rasterio.CRS.from_epsg(32631),
        )
    assert_refused(path, "only ground control points.*gdalwarp")


def test_real_scene_with_ground_control_points_only_is_refused(data: Path) -> None:
    assert_refused(data / "rasters/cog_gcps.tif", "only ground control points", bands=(1, 1, 1))


def test_scene_with_a_degenerate_affine_is_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", transform=Affine(1, 0, 10, 0, 0, 10))
    assert_refused(path, "degenerate affine")


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        pytest.param('LOCAL_CS["site",UNIT["metre",1]]', NORTH_UP, id="a local grid"),
        pytest.param("EPSG:5773", NORTH_UP, id="heights"),
        pytest.param("EPSG:4978", NORTH_UP, id="geocentric"),
        pytest.param("EPSG:4326", NORTH_UP, id="metres called degrees"),
    ],
)
def test_scene_that_lies_nowhere_on_earth_is_refused(
    tmp_path: Path, crs: str, transform: Affine
) -> None:
    """Its pixels have no size in metres, so neither have GSD, strides or areas."""
    assert_refused(make_scene(tmp_path / "s.tif", crs=crs, transform=transform), "on Earth")


def test_complex_scene_is_refused(tmp_path: Path) -> None:
    values = np.ones((3, 64, 64), np.complex64)
    assert_refused(write_scene(tmp_path / "s.tif", values), "complex values; save magnitude")


@pytest.mark.parametrize("missing", ["nodata", "bytes", "nan", "alpha", "mask"])
def test_empty_scene_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "s.tif"
    match missing:
        case "bytes":
            write_scene(path, np.zeros((3, 70, 70), np.uint8), nodata=0)
        case "nodata":
            write_scene(path, np.full((3, 70, 70), 9, np.uint16), nodata=9)
        case "nan":
            write_scene(path, np.full((3, 70, 70), np.nan, np.float32))
        case "alpha":
            values = make_values(70, 70, bands=4, dtype="uint16")
            values[3] = 0
            write_scene(path, values, photometric="RGB", alpha="yes")
        case "mask":
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                make_scene(path, 70, 70, dtype="uint16")
                with rasterio.open(path, "r+") as dataset:
                    dataset.write_mask(False)
    assert_refused(path, "is empty: not one of its pixels is valid")


def test_palette_is_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", bands=1, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {i: (i, 255 - i, 0, 255) for i in range(256)})
    assert_refused(path, "palette indices.*-expand rgb", bands=(1, 1, 1))


def test_a_scene_is_described_by_what_can_be_read_of_it(tmp_path: Path) -> None:
    """What becomes of a job with a damaged block is for the job to decide."""
    path = make_scene(tmp_path / "s.tif", 256, 320, dtype="uint16", compress="deflate")
    whole = info_of(path)
    damage(path)
    info = info_of(path)
    assert (info.width, info.height, info.bands) == (320, 256, (1, 2, 3))
    assert info.rescale_source == whole.rescale_source
    # Of all the scene that is left, not of its first block alone.
    np.testing.assert_allclose(info.rescale, whole.rescale, rtol=0.1, atol=2000)


def test_a_scene_without_a_readable_block_is_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "s.tif", 64, 128, dtype="uint16", compress="deflate")
    for col in range(2):
        damage(path, 0, col)
    with pytest.raises(SceneUnreadable, match=str(path)):
        info_of(path)


def test_refusals_are_geogaze_errors() -> None:
    assert issubclass(SceneUnusable, GeogazeError)
    assert SceneUnusable.status == 400
