"""JPEG 2000 files, and pictures that a world file gives a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from PIL import Image

from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scene.decoders import gdal_decoder
from geogaze.scene.policy import SourcePolicy
from tests.factories import NORTH_UP, ROTATED, make_scene, make_values, write_scene
from tests.hosts import Host
from tests.unit.scene.mosaics import described, moved, pixels_of
from tests.unit.scene.rasters import info_of, read


def jpeg_2000(path: Path, scene: Path) -> Path:
    """A lossless copy."""
    with rasterio.open(scene) as dataset:
        rasterio.shutil.copy(dataset, path, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    return path


def picture(path: Path, values: Any, affine: Affine | None, suffix: str = "pgw") -> Path:
    """A picture, with a world file if it is to lie somewhere."""
    driver = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff"}[path.suffix.lower()]
    write_scene(path, values, crs=None, transform=Affine.identity(), driver=driver)
    if affine:
        x, y = affine @ (0.5, 0.5)
        numbers = (affine.a, affine.d, affine.b, affine.e, x, y)
        path.with_suffix(f".{suffix}").write_text("\r\n".join(f"{n:.10f}" for n in numbers))
    return path


def test_jpeg_2000_is_read_as_the_geotiff_that_it_was(tmp_path: Path) -> None:
    tiff = make_scene(tmp_path / "a.tif", 120, 150)
    jp2 = jpeg_2000(tmp_path / "a.jp2", tiff)
    info, wanted = info_of(jp2), info_of(tiff)
    assert info.affine == wanted.affine
    assert (info.epsg, info.dtype, info.rescale) == (32631, "uint8", ((0, 255),) * 3)
    assert info.decoder == gdal_decoder()
    np.testing.assert_array_equal(read(jp2).values, read(tiff).values)
    beside = make_scene(tmp_path / "b.tif", 120, 150, transform=moved(0, 150), seed=1)
    found = pixels_of(described([jp2, beside])).values
    np.testing.assert_array_equal(found[:, :, :150], read(tiff).values)
    np.testing.assert_array_equal(found[:, :, 150:], read(beside).values)


def test_remote_jpeg_2000_is_left_to_gdal(host: Host, tmp_path: Path) -> None:
    jpeg_2000(host.folder / "a.jp2", make_scene(tmp_path / "a.tif", 64, 64))
    info = described(host.uri("a.jp2"))
    assert (info.pieces, info.decoder) == ((), gdal_decoder())
    np.testing.assert_array_equal(pixels_of(info).values, make_values(64, 64))


def test_what_only_starts_as_jpeg_2000_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jp2"
    path.write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200))
    with pytest.raises(SceneUnreadable, match="cannot be opened as a JPEG 2000 file"):
        info_of(path)


@pytest.mark.parametrize(
    ("name", "suffix", "affine"),
    [
        ("a.png", "pgw", NORTH_UP),
        ("a.png", "pngw", ROTATED),
        ("a.png", "wld", NORTH_UP),
        ("A.PNG", "PGW", NORTH_UP),
        ("a.jpg", "jgw", NORTH_UP),
        ("a.tif", "tfw", ROTATED),
    ],
)
def test_a_world_file_places_a_picture(
    tmp_path: Path, name: str, suffix: str, affine: Affine
) -> None:
    """By the middle of its first pixel; the user says in which CRS."""
    values = make_values(64, 80)
    path = picture(tmp_path / name, values, affine, suffix)
    info = described(path, crs="EPSG:32631")
    assert info.affine.almost_equals(affine, 1e-6)
    assert info.epsg == 32631
    found = pixels_of(info)
    assert found.known.all()
    if path.suffix != ".jpg":
        np.testing.assert_array_equal(found.values, values)


def test_a_picture_without_either_says_what_is_missing(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", make_values(64, 80), None)
    with pytest.raises(SceneUnusable, match=r"no place on the map.*geogaze image"):
        described(path, crs="EPSG:32631")
    picture(path, make_values(64, 80), NORTH_UP)
    with pytest.raises(SceneUnusable, match=r"in no CRS\. If you know it: --crs"):
        described(path)
    path.with_suffix(".pgw").write_text("1 2 3")
    with pytest.raises(SceneUnusable, match=r"a\.pgw' is no world file: it has not six numbers"):
        described(path, crs="EPSG:32631")
    path.with_suffix(".pgw").write_bytes(b"\x89PNG")
    with pytest.raises(SceneUnusable, match=r"a\.pgw' is no world file"):
        described(path, crs="EPSG:32631")


def test_a_world_file_must_be_allowed_too(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    path = picture(folder / "a.png", make_values(64, 80), NORTH_UP)
    outside = path.with_suffix(".pgw").rename(tmp_path / "a.pgw")
    path.with_suffix(".pgw").symlink_to(outside)
    assert described(path, crs="EPSG:32631").affine == NORTH_UP
    with pytest.raises(SceneUnusable, match="no place on the map"):
        described(path, crs="EPSG:32631", policy=SourcePolicy(folders=(folder,)))


def test_a_file_that_says_no_crs_may_be_told_one(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", 64, 80, crs=None)
    assert described(path, crs="EPSG:32631").affine == NORTH_UP
    with pytest.raises(SceneUnusable, match="has no CRS"):
        described(path)


def test_chips_are_shown_the_way_to_image(tmp_path: Path) -> None:
    chips = [picture(tmp_path / f"{n}.tif", make_values(64, 64, seed=n), None) for n in range(3)]
    with pytest.raises(SceneUnusable, match=rf"None of these 3 .*geogaze image {tmp_path}'"):
        described(chips)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_png_is_no_scene_whatever_it_is_called(tmp_path: Path, suffix: str) -> None:
    png = tmp_path / f"chip.{suffix}"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(png, format="PNG")
    with pytest.raises(SceneUnusable, match=r"no place on the map.*geogaze image"):
        info_of(png)
