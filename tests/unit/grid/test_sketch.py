"""Sketches: as near to numpy's quantile as they say, and the same however parts are merged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geogaze.grid import sketch
from geogaze.grid.sketch import MAX_ERROR, Sketch

VALUES = st.lists(
    st.floats(-1e6, 1e6, width=32) | st.just(float("nan")) | st.just(float("inf")), max_size=60
)


def numbers(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def same(one: Sketch, other: Sketch) -> bool:
    return (
        one.dropped == other.dropped
        and np.array_equal(one.bins, other.bins)
        and np.array_equal(one.counts, other.counts)
    )


@given(VALUES, st.floats(0, 1))
def test_a_quantile_of_few_numbers_is_numpys(values: list[float], share: float) -> None:
    array = numbers(values)
    positive = array[(array > 0) & np.isfinite(array)].astype(np.float64)
    expected = np.quantile(positive, share) if positive.size else 0.0
    assert Sketch.of(array).quantile(share) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from([1, 8, 40]))
def test_a_quantile_of_many_is_off_by_no_more_than_is_said(
    seed: int, share: float, spread: int
) -> None:
    """With a few bins, as if there were too many numbers for more; of any spread."""
    random = np.random.default_rng(seed)
    array = np.exp2(np.clip(random.normal(0, spread, 3000), -100, 100)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketch, "_EXACT", 50)
        found = Sketch.of(array)
    assert found.dropped == 9
    assert found.quantile(share) == pytest.approx(
        np.quantile(array.astype(np.float64), share), rel=MAX_ERROR
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms(), st.sampled_from([4, 16, 65_536]))
def test_parts_may_be_merged_in_any_order_and_grouping(
    parts: list[list[float]], random: object, bins: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketch, "_EXACT", bins)
        whole = Sketch.of(numbers([value for part in parts for value in part]))
        sketches = [Sketch.of(numbers(part)) for part in parts]
        random.shuffle(sketches)  # type: ignore[attr-defined]
        assert same(Sketch.merged(sketches), whole)
        one_by_one = Sketch.merged([])
        for each in sketches:
            one_by_one = Sketch.merged([one_by_one, each])
        assert same(one_by_one, whole)


def test_a_sketch_of_many_numbers_stays_small() -> None:
    array = np.random.default_rng(0).lognormal(0, 2, 400_000).astype(np.float32)
    found = Sketch.of(array)
    assert found.count == len(array)
    assert len(found.bins) < 2 * 65_536 + 2**17
    assert found.quantile(0.999) == pytest.approx(np.quantile(array, 0.999), rel=MAX_ERROR)
    assert Sketch.of(np.zeros(3, np.float32)).quantile(0.999) == 0.0
