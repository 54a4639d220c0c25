"""Which of a scene's bands are the model's."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from rasterio.enums import ColorInterp as C

from geogaze.scene.bands import coded_in, named_in
from tests.factories import make_scene
from tests.unit.scene.rasters import RGB, info_of


def described(path: Path, *descriptions: str, colours: tuple[C, ...] | None = None) -> Path:
    make_scene(path, 70, 80, bands=len(descriptions), photometric="minisblack")
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = descriptions
        if colours:
            dataset.colorinterp = colours
    return path


@pytest.mark.parametrize(
    ("descriptions", "chosen"),
    [
        (("blue", "green", "red"), (3, 2, 1)),
        (("B02", "B03", "B04", "B08"), (3, 2, 1)),
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5"), (4, 3, 2)),
        (("Band 1 - Blue (490 nm)", "Band 2 - Green", "Band 3 - Red (665.5 nm)"), (3, 2, 1)),
        (
            ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"),
            (6, 4, 2),
        ),
        (("Red Edge 1", "RED", "GREEN", "BLUE"), (2, 3, 4)),
        (("b", "g", "r"), (3, 2, 1)),
        # A name weighs more than a number that means another thing on another sensor.
        (("B1 blue", "B2 green", "B3 red", "B4 nir"), (3, 2, 1)),
    ],
)
def test_bands_are_those_that_descriptions_name(
    tmp_path: Path, descriptions: tuple[str, ...], chosen: tuple[int, ...]
) -> None:
    info = info_of(described(tmp_path / "s.tif", *descriptions))
    assert (info.bands, info.bands_source) == (chosen, "descriptions")


def test_descriptions_weigh_more_than_colours(tmp_path: Path) -> None:
    """Software calls the first three bands red, green and blue, whatever they are."""
    path = described(tmp_path / "s.tif", "B02", "B03", "B04", colours=(C.red, C.green, C.blue))
    assert info_of(path).bands == (3, 2, 1)


@pytest.mark.parametrize("descriptions", [("B02", "B03", ""), ("nir", "swir1", "swir2")])
def test_descriptions_that_do_not_name_all_leave_the_choice_to_colours(
    tmp_path: Path, descriptions: tuple[str, ...]
) -> None:
    path = described(tmp_path / "s.tif", *descriptions, colours=(C.blue, C.green, C.red))
    info = info_of(path)
    assert (info.bands, info.bands_source) == ((3, 2, 1), "colours")


def test_of_colours_that_occur_twice_the_first_count(tmp_path: Path) -> None:
    twice = (C.red, C.green, C.blue, C.red, C.green, C.blue)
    path = described(tmp_path / "s.tif", *[""] * 6, colours=twice)
    assert info_of(path).bands == (1, 2, 3)


def test_a_band_described_as_alpha_is_not_looked_at(tmp_path: Path) -> None:
    path = described(tmp_path / "s.tif", "Alpha", "", "", "")
    info = info_of(path)
    assert (info.bands, info.bands_source) == ((2, 3, 4), "position")


def test_asked_bands_are_told_as_such(tmp_path: Path) -> None:
    info = info_of(described(tmp_path / "s.tif", *RGB), bands=(1, 1, 2))
    assert (info.bands, info.bands_source) == ((1, 1, 2), "given")


@pytest.mark.parametrize(
    ("text", "name", "code"),
    [
        ("", None, None),
        ("red", "red", None),
        ("Vegetation red edge", None, None),
        ("infra red", None, None),
        ("B8A", None, None),
        ("B08", None, "nir"),
        ("B04 - Red", "red", "red"),
        ("b12", None, None),
        ("B4/B3", None, None),
    ],
)
def test_names_and_codes(text: str, name: str | None, code: str | None) -> None:
    assert named_in(text) == name
    assert coded_in(text) == code


def test_a_models_own_names_come_first_then_its_numbers_then_its_colours() -> None:
    from geogaze.scene.bands import BandLabel, choose_bands

    def chosen(names: tuple[str, ...], *descriptions: str) -> tuple[tuple[int, ...], str]:
        return choose_bands("s.tif", [BandLabel(text) for text in descriptions], names, None)

    s2 = ("B02", "B03", "B04", "B8A", "B11")
    assert chosen(("B8A", "B04", "B11"), *s2) == ((4, 3, 5), "descriptions")
    assert chosen(("b8a", "b4"), *s2) == ((4, 3), "descriptions")
    assert chosen(("VV", "VH"), "vh", "vv") == ((2, 1), "descriptions")
    assert chosen(("B04", "B03", "B02"), "blue", "green", "red") == ((3, 2, 1), "descriptions")
    assert chosen(("NDVI mean", "red"), "red", "NDVI mean") == ((2, 1), "descriptions")
    assert chosen(("B04", "B12"), *s2) == ((1, 2), "position")
