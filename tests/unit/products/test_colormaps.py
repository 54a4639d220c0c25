"""Colour maps as data, against matplotlib's and simulated eyes."""

from __future__ import annotations

from typing import get_args

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.products.colormaps import (
    DIVERGING,
    FULL_AT,
    MAX_OPACITY,
    Colormap,
    Palette,
    colour_stops,
    render_stops,
)

ALL = get_args(Palette)
_BLIND = {  # Machado, Oliveira and Fernandes 2009, all of a kind of cones missing
    "protanopia": "0.152286 1.052583 -0.204868 0.114503 0.786281 0.099216 "
    "-0.003882 -0.048116 1.051998",
    "deuteranopia": "0.367322 0.860646 -0.227968 0.280085 0.672501 0.047413 "
    "-0.011820 0.042940 0.968881",
    "tritanopia": "1.255528 -0.076749 -0.178779 -0.078411 0.930809 0.147602 "
    "0.004733 0.691367 0.303900",
}


def interpolated(name: Palette, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Red, green, blue and alpha (n, 4), 0..255."""
    places, *parts = np.array(colour_stops(name)).T
    return np.stack([np.interp(at, places, part) for part in parts], axis=1)


def lab(rgb: NDArray[np.float64], blind: str = "") -> NDArray[np.float64]:
    """Colours (n, 3) of 0..1 as CIE Lab, as an eye sees them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if blind:
        linear = linear @ np.array(_BLIND[blind].split(), dtype=float).reshape(3, 3).T
    linear = linear.clip(0, 1)
    seen = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0])


@pytest.mark.parametrize("name", ALL)
def test_colours_are_the_published_ones(name: Palette) -> None:
    published = mpl.colormaps[name]
    at = np.linspace(0, 1, 500)
    cut = at if name == DIVERGING else (40 + at * 205) / 255
    every = np.linspace(0, 1, 256)
    table = published(every)[:, :3] * 255
    expected = np.stack([np.interp(cut, every, part) for part in table.T], axis=1)
    off = np.abs(interpolated(name, at)[:, :3] - expected)
    assert off.max() < 6, "of 255, in the steepest parts"
    assert off.mean() < 1


@pytest.mark.parametrize("name", get_args(Colormap))
def test_cold_is_clear_and_hot_is_opaque(name: Colormap) -> None:
    alpha = interpolated(name, np.linspace(0, 1, 101))[:, 3] / 255
    assert alpha[0] == 0
    assert (np.diff(alpha) >= 0).all()
    assert alpha[5] < 0.03
    assert alpha[30] == pytest.approx(MAX_OPACITY / 2, abs=0.002), "half way to where it is full"
    assert alpha[round(100 * FULL_AT) :] == pytest.approx(MAX_OPACITY, abs=0.002)


def test_more_is_brighter_for_every_eye_but_with_turbo() -> None:
    for name in get_args(Colormap):
        light = lab(interpolated(name, np.linspace(0, 1, 101))[:, :3] / 255)[:, 0]
        rises = bool((np.diff(light) > -0.5).all()) and light[-1] - light[0] > 50
        assert rises == (name != "turbo"), name


@pytest.mark.parametrize("blind", ["", *_BLIND])
def test_both_signs_differ_for_every_eye(blind: str) -> None:
    strength = np.linspace(0.15, 1, 18)
    positive, negative = (
        lab(interpolated(DIVERGING, 0.5 + sign * strength / 2)[:, :3] / 255, blind)
        for sign in (1, -1)
    )
    apart = np.linalg.norm(positive - negative, axis=1)
    assert apart.min() > 20, "2 is what one just sees"
    assert apart[-1] > 75
    np.testing.assert_allclose(positive[:, 0], negative[:, 0], atol=18 if blind else 7)


def test_signed_values_are_clear_in_the_middle_and_alike_on_both_sides() -> None:
    alpha = interpolated(DIVERGING, np.linspace(0, 1, 201))[:, 3]
    assert alpha[100] == 0
    np.testing.assert_allclose(alpha, alpha[::-1], atol=1e-6)
    np.testing.assert_allclose(
        alpha[100:], interpolated("turbo", np.linspace(0, 1, 101))[:, 3], atol=5
    )


def test_stops_of_a_render_stand_at_values_of_the_raster() -> None:
    render = {"assets": ["a"], "rescale": [[-2.5, 2.5]], "colormap_name": "coolwarm"}
    stops = render_stops(render)
    assert [stops[i].position for i in (0, 10, 20)] == [-2.5, 0, 2.5]
    assert stops[0][1:4] == (59, 76, 192)
    assert [tuple(stop)[1:] for stop in stops] == [tuple(s)[1:] for s in colour_stops("coolwarm")]
    with pytest.raises(KeyError):
        render_stops(render | {"colormap_name": "jet"})
