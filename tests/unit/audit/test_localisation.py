"""Where evidence lies against objects, by hand and by slow counting."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.audit.localisation import (
    chance_of_hit,
    denser,
    energy_inside,
    enrichment,
    hits,
    on_and_beside,
    shifted,
    spearman,
)


def test_enrichment_is_a_ratio_of_densities() -> None:
    evidence = np.array([[3.0, 1.0], [1.0, -9.0]])
    area = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert enrichment(evidence, area) == pytest.approx(3 / (2 / 3))
    assert energy_inside(evidence, area) == pytest.approx(3 / 5)
    assert enrichment(np.ones((4, 4)), np.eye(4)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("evidence", "area"),
    [
        (np.ones((2, 2)), np.zeros((2, 2))),
        (np.ones((2, 2)), np.ones((2, 2))),
        (-np.ones((2, 2)), np.eye(2)),
    ],
    ids=["no object", "no ground", "no evidence"],
)
def test_what_has_no_value_has_none(evidence: np.ndarray, area: np.ndarray) -> None:
    assert enrichment(evidence, area) is None


def test_ground_where_nobody_looked_is_no_ground() -> None:
    rng = np.random.default_rng(0)
    evidence, area = rng.random((8, 8)), (rng.random((8, 8)) > 0.7).astype(float)
    known = np.zeros((8, 24))
    known[:, 8:16] = 1
    wide = [np.pad(values, ((0, 0), (8, 8))) for values in (evidence, area)]
    assert enrichment(*wide, known) == pytest.approx(enrichment(evidence, area))
    moved = shifted(known, wide[1], rng, 50, known)
    np.testing.assert_allclose(moved, 1)  # even evidence on what is known is even


def test_sums_of_tiles_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    evidence, area = rng.normal(size=(5, 2, 4, 4)), rng.random((5, 4, 4))
    on, beside = on_and_beside(evidence, area)[:, 1].sum(axis=0)
    found = denser(on, beside, area.sum(), (1 - area).sum())
    assert found == pytest.approx(enrichment(evidence[:, 1], area))


def test_energy_agrees_with_counting_at_source_pixels() -> None:
    rng = np.random.default_rng(0)
    evidence, mask = rng.normal(size=(6, 6)), rng.random((48, 48)) > 0.7
    area = mask.reshape(6, 8, 6, 8).mean(axis=(1, 3))
    pixels = np.maximum(evidence, 0).repeat(8, axis=0).repeat(8, axis=1)
    assert energy_inside(evidence, area) == pytest.approx(pixels[mask].sum() / pixels.sum())


def test_pointing_has_one_cell_of_tolerance() -> None:
    evidence = np.zeros((3, 5, 5))
    evidence[0, 2, 2] = evidence[1, 2, 2] = evidence[2, 2, 2] = 1
    area = np.zeros((3, 5, 5))
    area[0, 2, 2], area[1, 1, 3], area[2, 0, 2] = 1, 1, 1
    assert hits(evidence, area).tolist() == [True, True, False]
    assert chance_of_hit(area).tolist() == [9 / 25, 9 / 25, 6 / 25]
    assert not hits(evidence, np.zeros((3, 5, 5))).any(), "an empty mask is no hit"
    assert not hits(-evidence, np.ones((3, 5, 5))).any(), "no evidence points nowhere"


def test_objects_moved_at_random_do_no_better_than_even() -> None:
    rng = np.random.default_rng(0)
    area = (rng.random((40, 40)) > 0.9).astype(float)
    evidence = area + 0.1 * rng.random((40, 40))
    by_chance = shifted(evidence, area, rng, 300)
    assert np.median(by_chance) == pytest.approx(1, abs=0.15)
    assert (enrichment(evidence, area) or 0) > by_chance.max()


def test_rank_correlation() -> None:
    values = np.array([3.0, 1.0, 2.0, 2.0])
    assert spearman(values, values**3) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    # By hand: ranks 4 1 2.5 2.5 against 1 2 3 4.
    assert spearman(values, np.arange(4.0)) == pytest.approx(-0.3162, abs=1e-4)
    assert spearman(values, np.ones(4)) is None
