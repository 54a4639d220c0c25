"""From which heat on a cell is hot."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from geogaze.errors import InvalidRequest
from geogaze.products.thresholds import level_of, otsu, threshold_of


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.5", 0.5),
        ("3", 3.0),
        ("1e-3", 0.001),
        ("otsu", "otsu"),
        (" Q0.99", "q0.99"),
        ("q.5", "q.5"),
    ],
)
def test_a_threshold_as_it_is_written(text: str, meant: float | str) -> None:
    assert threshold_of(text) == meant


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "nan", "inf", "q", "q1", "q0", "q0.0", "q99", "ots"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="A threshold is a number above 0"):
        threshold_of(text)


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_opencvs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grey = np.concatenate([rng.normal(60, 15, 900), rng.normal(170, 25, 200 * seed + 50)])
    image = np.clip(grey, 0, 255).astype(np.uint8)
    expected, _ = cv2.threshold(image[None], 0, 255, cv2.THRESH_OTSU)
    assert otsu(np.bincount(image, minlength=256)) == expected
    # The same of heat, where nothing and what nobody looked at count as they should.
    heat = np.append(image / np.float32(255), [np.nan, np.nan]).astype(np.float32)
    level = level_of("otsu", 1.0, np.array_split(heat, 3))
    assert (heat >= level).sum() == (image > expected).sum()


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_quantile_is_numpys_of_all_that_was_looked_at(share: float) -> None:
    rng = np.random.default_rng(0)
    heat = np.maximum(rng.normal(0, 1, 20_000), 0).astype(np.float32)
    expected = np.quantile(heat, share)
    heat = np.append(heat, np.full(500, np.nan, dtype=np.float32))
    level = level_of(f"q{share}", 4.0, np.array_split(heat, 7))
    lowest = heat[heat > 0].min()
    assert level == pytest.approx(max(expected, lowest), rel=2**-13)


@pytest.mark.parametrize("threshold", ["otsu", "q0.9"])
def test_where_nothing_is_hot_no_level_is_low_enough(threshold: str) -> None:
    assert level_of(threshold, 0.0, [np.zeros(4, dtype=np.float32)]) == math.inf
    assert level_of(0.4, 0.0, []) == 0.4
