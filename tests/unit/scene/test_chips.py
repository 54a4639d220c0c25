"""Chips: pictures as they were always read, and rasters as scenes are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scene.chips import Wanted, chip_values, colours_of, read_chip
from tests.factories import make_values, write_scene

SETTINGS = Settings()
RGB = ("red", "green", "blue")


def test_a_picture_is_bytes_in_colour_whatever_it_was(tmp_path: Path) -> None:
    values = make_values(30, 40).transpose(1, 2, 0)
    for mode, name in (("RGB", "a.png"), ("L", "b.png"), ("P", "c.png"), ("RGBA", "d.png")):
        Image.fromarray(values).convert(mode).save(tmp_path / name)
        chip = read_chip(tmp_path / name, Wanted(RGB), SETTINGS)
        wanted = np.asarray(Image.open(tmp_path / name).convert("RGB")).transpose(2, 0, 1)
        np.testing.assert_array_equal(chip.values, wanted)
        assert chip.known.all()
    grey = read_chip(tmp_path / "a.png", Wanted(("pan",)), SETTINGS)
    assert grey.values.shape == (1, 30, 40)


def test_sixteen_bits_are_neither_cut_nor_read_by_half(tmp_path: Path) -> None:
    values = make_values(30, 40, dtype="uint16")
    path = write_scene(tmp_path / "chip.tif", values, crs=None)
    chip = read_chip(path, Wanted(RGB, ((0.0, 40_000.0),)), SETTINGS)
    np.testing.assert_allclose(chip.values, np.clip(values / 40_000, 0, 1), atol=1e-6)
    own = read_chip(path, Wanted(RGB), SETTINGS)
    low, high = np.percentile(values[0], (2, 98))
    np.testing.assert_allclose(
        own.values[0], np.clip((values[0] - low) / (high - low), 0, 1), atol=1e-6
    )
    Image.fromarray(values[0]).save(tmp_path / "grey.png")
    one = read_chip(tmp_path / "grey.png", Wanted(("pan",), ((0.0, 65_535.0),)), SETTINGS)
    np.testing.assert_allclose(one.values[0], values[0] / 65_535, atol=1e-6)


def test_floats_are_read_and_what_is_none_becomes_the_mean(tmp_path: Path) -> None:
    values = make_values(30, 40, bands=2, dtype="float32") * 30 - 25  # decibels
    values[1, 3, 4] = np.nan
    path = write_scene(tmp_path / "sar.tif", values, crs=None)
    wanted = Wanted(("vv", "vh"), ((-25.0, 0.0), (-30.0, 5.0)))
    chip = read_chip(path, wanted, SETTINGS)
    assert chip.known.sum() == values.size - 1
    found = chip_values(path, wanted, (0.25, 0.75), SETTINGS)
    assert found[1, 3, 4] == 0.75
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.clip((values[0] + 25) / 25, 0, 1), atol=1e-6)


def test_bands_are_chosen_by_name_or_by_number(tmp_path: Path) -> None:
    import rasterio

    values = make_values(30, 40, bands=4, dtype="uint16")
    path = write_scene(tmp_path / "s2.tif", values, crs=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B02", "B03", "B04", "B8A")
    whole = ((0.0, 65_535.0),)
    by_name = read_chip(path, Wanted(("B8A", "B04"), whole), SETTINGS)
    np.testing.assert_allclose(by_name.values, values[[3, 2]] / 65_535, atol=1e-6)
    by_colour = read_chip(path, Wanted(RGB, whole), SETTINGS)
    np.testing.assert_allclose(by_colour.values, values[[2, 1, 0]] / 65_535, atol=1e-6)
    asked = read_chip(path, Wanted(RGB, whole, (1, 1, 4)), SETTINGS)
    np.testing.assert_allclose(asked.values, values[[0, 0, 3]] / 65_535, atol=1e-6)


def test_thirteen_bytes_are_bands_too(tmp_path: Path) -> None:
    values = make_values(30, 40, bands=13)
    path = write_scene(tmp_path / "chip.tif", values, crs=None)
    chip = read_chip(path, Wanted(tuple("abcdefghijklm")), SETTINGS)
    np.testing.assert_array_equal(chip.values, values)


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no pixels")
    with pytest.raises(SceneUnreadable, match=r"text\.png cannot be read as an image"):
        read_chip(tmp_path / "text.png", Wanted(RGB), SETTINGS)
    Image.fromarray(make_values(9, 9).transpose(1, 2, 0)).save(tmp_path / "rgb.jpg")
    with pytest.raises(SceneUnusable, match="takes 4 bands: give it a GeoTIFF"):
        read_chip(tmp_path / "rgb.jpg", Wanted(("a", "b", "c", "d")), SETTINGS)
    few = write_scene(tmp_path / "few.tif", make_values(9, 9, dtype="uint16"), crs=None)
    with pytest.raises(SceneUnusable, match=r"3 band\(s\), but the model takes 4"):
        read_chip(few, Wanted(("a", "b", "c", "d")), SETTINGS)
    with pytest.raises(SceneUnusable, match=r"uint16.*--rescale LO,HI"):
        read_chip(few, Wanted(RGB, scaled=True), SETTINGS)


def test_it_is_shown_in_its_colours() -> None:
    values = np.stack([np.full((2, 2), v, dtype=np.float32) for v in (0.1, 0.2, 0.3, 2.0)])
    assert colours_of(values, ("B02", "B03", "B04", "nir"))[0, 0].tolist() == [76, 51, 26]
    assert colours_of(values, tuple("abcd"))[0, 0].tolist() == [26, 51, 76]
    assert colours_of(values[:2], ("vv", "vh"))[0, 0].tolist() == [26, 26, 26]
    assert colours_of(values[3:], ("vv",))[0, 0].tolist() == [255, 255, 255]
