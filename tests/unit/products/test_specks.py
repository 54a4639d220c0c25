"""Heat of single pixels, drawn so that it is seen, and where it is."""

from __future__ import annotations

import numpy as np

from geogaze.products.make.specks import REACH, softened, softened_alone

SIDE = 64


def specks(seed: int = 0) -> np.ndarray:
    """Heavy-tailed, as gradients are, and ten times stronger in one corner."""
    values = np.random.default_rng(seed).exponential(size=(SIDE, SIDE)) ** 2
    values[:16, :16] *= 10
    return (values / np.quantile(values, 0.999)).clip(0, 1).astype(np.float32)


def test_what_was_specks_covers_its_place_and_nothing_else() -> None:
    before, after = specks(), softened(specks())
    here, there = (slice(4, 12), slice(4, 12)), (slice(32, 60), slice(32, 60))
    assert (before[here] > 0.15).mean() < 0.5
    assert (after[here] > 0.15).mean() > 0.95
    assert after[there].max() < 0.1
    assert after.max() <= 1


def test_each_is_a_weighed_mean_of_what_is_known_around_it() -> None:
    heat = specks() / 4
    heat[30:34, 20:50] = np.nan
    found = softened(heat)
    assert np.array_equal(np.isnan(found), np.isnan(heat))
    for row, col in ((29, 30), (0, 0), (50, 63), (5, 40)):
        rows, cols = np.mgrid[:SIDE, :SIDE]
        near = (abs(rows - row) <= REACH) & (abs(cols - col) <= REACH) & np.isfinite(heat)
        weights = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * 2.5**2)) * near
        wanted = 2 * (weights * np.nan_to_num(heat)).sum() / weights.sum()
        assert abs(found[row, col] - wanted) < 1e-5


def test_what_is_far_does_not_matter() -> None:
    """So that blocks may be drawn by themselves."""
    heat = specks()
    np.testing.assert_allclose(
        softened(heat)[20:40, 20:40],
        softened(heat[20 - REACH : 40 + REACH, 20 - REACH : 40 + REACH])[
            REACH:-REACH, REACH:-REACH
        ],
        atol=1e-6,
    )


def test_evidence_against_is_not_drawn() -> None:
    assert softened_alone(-specks()).max() == 0
    np.testing.assert_allclose(softened_alone(specks() * 7 - 0.0), softened(specks()), atol=0.02)
