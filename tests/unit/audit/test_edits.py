"""The world, changed in pictures."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.audit import edits


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).random((4, 64, 64), dtype=np.float32)


def square(at: int = 24, side: int = 12) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[at : at + side, at : at + side] = True
    return mask


def test_only_the_hole_and_its_edge_change(picture: np.ndarray) -> None:
    hole = edits.hole_of(square())
    assert hole.sum() == 20 * 20
    other = np.zeros_like(picture)
    changed = edits.replaced(picture, other, hole)
    assert changed[:, square()].max() < 0.03
    far = np.ones((64, 64), bool)
    far[12:48, 12:48] = False
    np.testing.assert_array_equal(changed[:, far], picture[:, far])


@pytest.mark.parametrize("side", [12, 60])
def test_a_hole_is_filled_from_around_it_alone(side: int) -> None:
    hole = square(2, side)
    picture = np.full((2, 64, 64), 0.25, np.float32)
    picture[:, hole] = 9
    np.testing.assert_allclose(edits.filled_in(picture, hole), 0.25, rtol=1e-3)


def test_a_tile_that_is_all_hole_becomes_its_mean(picture: np.ndarray) -> None:
    filled = edits.filled_in(picture, np.ones((64, 64), bool))
    np.testing.assert_allclose(filled[:, 0, 0], picture.mean(axis=(1, 2)), rtol=1e-5)


def test_the_control_lies_beside_the_object() -> None:
    hole = square()
    beside = edits.elsewhere(hole)
    assert beside.sum() == hole.sum()
    assert not (beside & hole).any()


def test_cues_lie_over_the_whole_picture(picture: np.ndarray) -> None:
    assert edits.warmer(picture)[0].mean() > picture[0].mean()
    assert edits.cooler(picture)[0].mean() < picture[0].mean()

    def contrast(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image)).mean())

    sharp, blurred = edits.sharpened(picture), edits.blurred(picture)
    assert contrast(blurred) < contrast(picture) < contrast(sharp)
    assert all(laid(picture).shape == picture.shape for laid in edits.PROBES.values())


def test_texture_shape_and_colour_are_taken_in_turn(picture: np.ndarray) -> None:
    edge = (0.2 + 0.1 * picture).astype(np.float32)
    edge[:, :, 32:] += 0.5  # of a shape: much more than texture
    smooth = edits.untextured(edge)
    assert np.abs(np.diff(smooth[:, :, :30])).mean() < 0.5 * np.abs(np.diff(edge[:, :, :30])).mean()
    assert (smooth[:, :, 34] - smooth[:, :, 29]).mean() == pytest.approx(0.5, abs=0.1)
    pieces = edits.unshaped(edge)
    assert pieces[:, :60, :60].mean() == pytest.approx(edge[:, :60, :60].mean(), abs=0.03)
    assert np.abs(pieces - edge).mean() > 0.1
    grey = edits.uncoloured(edge)
    assert (grey[0] == grey[-1]).all()
    np.testing.assert_allclose(grey.mean(), edge.mean(), rtol=1e-5)
    assert all(taken(edge).shape == edge.shape for taken in edits.SUPPRESSED.values())
