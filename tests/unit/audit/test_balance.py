"""A logit as the sum of what each kind of ground says."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.audit.balance import balance, bias_of, cell_pixels, cell_shares


@pytest.mark.parametrize(
    ("size", "cells", "stride", "first"), [(64, 2, 32, 15.5), (64, 2, 32, 0.0), (224, 13, 16, 8.0)]
)
def test_each_pixel_belongs_to_its_nearest_cell(
    size: int, cells: int, stride: int, first: float
) -> None:
    pixels = cell_pixels(size, cells, stride, first)
    np.testing.assert_allclose(pixels.sum(axis=0), 1)
    centres = first + np.arange(cells) * stride
    nearest = np.abs(np.arange(size)[:, None] - centres).argmin(axis=1)
    whole = pixels.max(axis=0) == 1  # others are split between two
    assert (pixels.argmax(axis=0) == nearest)[whole].all()


def test_cells_beyond_the_border_lie_somewhere() -> None:
    pixels = cell_pixels(64, 4, 32, -32.0)  # the first has no pixel of its own
    shares = cell_shares(np.array([np.eye(64) > 0, np.eye(64) == 0]), pixels)
    np.testing.assert_allclose(shares.sum(axis=0), 1)


def test_shares_are_areas_at_source_pixels() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((3, 64, 64)) > 0.6
    pixels = cell_pixels(64, 2, 32, 0.0)  # edges at 0, 16.5 and 64
    shares = cell_shares(masks, pixels)
    fine = masks.repeat(2, axis=1).repeat(2, axis=2)  # at half pixels, by counting
    for row, rows in enumerate((slice(0, 33), slice(33, 128))):
        for col, cols in enumerate((slice(0, 33), slice(33, 128))):
            counted = fine[:, rows, cols].mean(axis=(1, 2))
            np.testing.assert_allclose(shares[:, row, col], counted)


def test_the_sheet_closes() -> None:
    rng = np.random.default_rng(1)
    evidence = rng.normal(size=(50, 4, 4))
    logits = evidence.mean(axis=(1, 2)) - 2.5
    labels = rng.integers(0, 3, (50, 64, 64))
    shares = cell_shares(
        labels[:, None] == np.arange(3)[:, None, None], cell_pixels(64, 4, 16, 7.5)
    )
    sheet = balance(evidence, shares)
    found = bias_of(logits, sheet.sum(axis=1))
    assert found.closes
    assert found.value == pytest.approx(-2.5)
    np.testing.assert_allclose(sheet.sum(axis=1) + found.value, logits, atol=1e-12)
    alone = balance(evidence, np.stack([np.ones((50, 4, 4)), np.zeros((50, 4, 4))], axis=1))
    np.testing.assert_allclose(alone, np.stack([logits + 2.5, np.zeros(50)], axis=1))


def test_a_sheet_that_does_not_close_says_so() -> None:
    evidence = np.random.default_rng(2).normal(size=(50, 4, 4))
    mean = evidence.mean(axis=(1, 2))
    found = bias_of(mean**2, mean)
    assert not found.closes
    assert found.closure > 0.1
