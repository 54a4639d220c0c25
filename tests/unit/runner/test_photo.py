"""Photographs and chips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.errors import UnknownClass
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.models.item import read_bundle
from geogaze.models.registry import SHIPPED
from geogaze.models.targets import parse_target
from geogaze.runner.photo import explain_photo
from geogaze.scene.chips import Chip
from tests.factories import make_values


@pytest.fixture(scope="module")
def engine(wide_bundle: Path) -> Engine:
    return Engine(read_bundle(wide_bundle), EngineOptions("cpu"))


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(make_values(height, width).transpose(1, 2, 0))


def chip(image: NDArray[np.uint8]) -> Chip:
    values = np.ascontiguousarray(image.transpose(2, 0, 1))
    return Chip(values, np.ones(values.shape, dtype=bool))


@pytest.mark.parametrize(("height", "width"), [(90, 160), (128, 128), (300, 50), (8, 8)])
def test_heat_and_overlay_have_the_photos_shape(engine: Engine, height: int, width: int) -> None:
    result = explain_photo(engine, chip(picture(height, width)), None)
    assert result.heat.shape == (height, width)
    assert result.heat.dtype == np.float32
    assert result.heat.min() >= 0
    assert result.heat.max() <= 1 + 1e-6
    assert result.overlay.shape == (height, width, 3)
    assert result.overlay.dtype == np.uint8


def test_the_best_class_is_shown_unless_another_is_asked_for(engine: Engine) -> None:
    image = picture(128, 128)
    best = explain_photo(engine, chip(image), None)
    names, shares = zip(*best.ranking, strict=True)
    assert best.shown == names[0]
    assert set(names) == {"boat", "field", "road"}
    assert list(shares) == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    other = explain_photo(engine, chip(image), names[2])
    assert other.shown == names[2]
    assert other.ranking == best.ranking
    assert not np.array_equal(other.heat, best.heat)
    np.testing.assert_allclose(
        explain_photo(engine, chip(image), names[0]).heat, best.heat, atol=1e-6
    )


def test_the_probability_is_that_of_what_is_shown(engine: Engine) -> None:
    image = picture(128, 128)
    best = explain_photo(engine, chip(image), None)
    (first, p1), (second, p2), (third, p3) = best.ranking
    assert p1 - p3 > 1e-3, "else any class's would do"
    asked = {
        first: p1,
        third.upper(): p3,
        f"{second} vs {third}": p2 / (p2 + p3),
        f"not {second}": 1 - p2,
    }
    assert best.probability == pytest.approx(p1)
    for name, expected in asked.items():
        found = explain_photo(engine, chip(image), name)
        assert found.probability == pytest.approx(expected, abs=1e-5), name
        assert found.shown.casefold() == name.casefold()
    assert explain_photo(engine, chip(image), third.upper()).shown == third


def test_an_unknown_class_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownClass, match="boat"):
        explain_photo(engine, chip(picture(64, 64)), "boot")


def test_heat_peaks_on_the_cell_with_most_evidence(engine: Engine) -> None:
    image = picture(128, 128)
    for name in engine.bundle.classes:
        values = (image.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        window = engine.prepare(values[0], np.ones((128, 128), dtype=bool), ((0.0, 1.0),))
        targets = (parse_target(name, engine.bundle),)
        (batch,) = engine.explain_tiles(window, [(0, 0)], targets)
        evidence = batch.evidence[0, 0]
        result = explain_photo(engine, chip(image), name)
        if evidence.max() <= 0:
            assert (result.heat == 0).all()
            continue
        assert result.heat.max() == pytest.approx(1, abs=0.04)
        row, col = np.unravel_index(evidence.argmax(), evidence.shape)
        # Activation (row, col) looks at pixel (32 row, 32 col).
        assert result.heat[32 * row, 32 * col] == pytest.approx(1, abs=0.04)


def test_the_shipped_model_knows_airplanes_and_sees_them(data: Path) -> None:
    engine = Engine(read_bundle(SHIPPED / "aerial-scenes"), EngineOptions("cpu"))
    right = 0
    images = sorted((data / "ucmerced" / "test" / "airplane").glob("*.jpg"))
    for path in images:
        loaded = cv2.imread(str(path))
        assert loaded is not None
        image = np.ascontiguousarray(loaded[..., ::-1]).astype(np.uint8)
        result = explain_photo(engine, chip(image), None)
        right += result.shown == "airplane"
    assert right >= 0.8 * len(images) > 0
