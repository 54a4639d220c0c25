"""Overlays of raw evidence, which is for a class or against it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geogaze.products.colormaps import MAX_OPACITY, colour_stops
from geogaze.products.make.overlay import shown_heat
from tests.unit.products.conftest import MakePlan, OpenReader
from tests.unit.products.test_overlay import grey, heat_of, overlay


def test_raw_evidence_is_shown_by_its_share_of_what_is_strong() -> None:
    raw = np.array([[-3, 0, 3, 6, np.nan]], dtype=np.float32)
    expected = [[-0.5, 0, 0.5, 1, np.nan]]
    np.testing.assert_allclose(shown_heat(raw, "none", 6), expected)
    np.testing.assert_allclose(shown_heat(raw / 100, "none", 0.06), expected, rtol=1e-6)
    np.testing.assert_array_equal(shown_heat(np.clip(raw, 0, 1), "job", 1), np.clip(raw, 0, 1))
    nothing = np.full((2, 2), np.nan, dtype=np.float32)
    assert np.isnan(shown_heat(nothing, "none", 0.0)).all()


def test_evidence_against_a_class_is_drawn_in_the_colours_of_the_other_side(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    plan = plan_of(grey(tmp_path / "grey.tif"), normalize="none", colormap="viridis")
    heat = heat_of(plan)
    heat[:, :4], heat[:, 4:] = -2.0, 2.0
    drawn, _ = overlay(plan, reader_of, heat, tmp_path)
    stops = colour_stops("coolwarm")
    for cols, stop in ((np.s_[:90], stops[0]), (np.s_[-90:], stops[-1])):
        expected = 128 * (1 - MAX_OPACITY) + np.array(stop[1:4]) * MAX_OPACITY
        np.testing.assert_allclose(drawn[..., cols].mean(axis=(1, 2)), expected, atol=4)
