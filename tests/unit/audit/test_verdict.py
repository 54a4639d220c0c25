"""What the figures say, by thresholds that were fixed beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geogaze.audit.intervals import Figure, interval
from geogaze.audit.verdict import Grounds, Kind, judge

ON_OBJECT = Grounds(
    tiles=60,
    groups=8,
    rise=4.0,
    drop=3.7,
    control=0.2,
    lost=Figure(0.93, 0.88, 0.97),
    lost_filled=Figure(0.9, 0.85, 0.95),
    probes={"warmer": 0.05, "blurred": -0.4},
    on_objects={"warmer": 0.0, "blurred": -0.3},
)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, Kind.OBJECT),
        ({"lost": Figure(0.93, 0.80, 0.97)}, Kind.MIXED),
        ({"lost": Figure(0.5, 0.4, 0.65), "lost_filled": Figure(0.5)}, Kind.SURROUNDINGS),
        ({"lost": Figure(0.6, 0.5, 0.75), "lost_filled": Figure(0.6)}, Kind.MIXED),
        ({"lost_filled": Figure(0.5)}, Kind.MIXED),
        ({"control": 0.7}, Kind.MIXED),
        ({"control": 1.5}, Kind.CANNOT_TELL),
        ({"probes": {"warmer": 0.2}, "on_objects": {"warmer": 0.1}}, Kind.GLOBAL),
        ({"probes": {"sharpened": 0.2}, "on_objects": {"sharpened": 0.3}}, Kind.OBJECT),
        ({"on_objects": {"warmer": 0.0, "blurred": -0.5}}, Kind.GLOBAL),
        ({"lost_filled": Figure(1.4)}, Kind.OBJECT),
        ({"lost": Figure(1.0, 0.95, 1.1), "lost_filled": Figure(1.4)}, Kind.OBJECT),
        (
            {
                "probes": {"cooler": 0.2},
                "on_objects": {"cooler": 0.1},
                "lost": Figure(0.3, 0.2, 0.4),
                "lost_filled": Figure(0.3),
            },
            Kind.SURROUNDINGS,  # ground of another colour is nearer to that of the objects
        ),
        ({"tiles": 29}, Kind.CANNOT_TELL),
        ({"groups": 4}, Kind.CANNOT_TELL),
        ({"rise": 0.9}, Kind.CANNOT_TELL),
        ({"lost": Figure(0.93)}, Kind.CANNOT_TELL),
        ({"tiles": 0, "lost": Figure(None), "lost_filled": Figure(None)}, Kind.CANNOT_TELL),
    ],
)
def test_verdicts(change: dict[str, object], kind: Kind) -> None:
    verdict = judge("airplane", replace(ON_OBJECT, **change))
    assert verdict.kind is kind
    assert "airplane" in verdict.words
    assert verdict.why.endswith(".")


def test_a_network_that_ignores_its_object_leans_on_surroundings() -> None:
    """The edit itself costs as much as the object: that is no reason not to tell."""
    lost = Figure(0.05, 0.0, 0.1)
    grounds = replace(ON_OBJECT, drop=0.2, control=0.2, lost=lost, lost_filled=lost)
    assert judge("airplane", grounds).kind is Kind.SURROUNDINGS


def test_intervals_hold_the_mean_and_widen_with_fewer_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    values = rng.normal(size=40)[groups] + 0.1 * rng.normal(size=400)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    many = interval(groups, mean)
    assert many.low is not None
    assert many.high is not None
    # Groups are the witnesses: the error is that of 40 values, not of 400.
    expected = 2 * 1.96 * np.std([values[groups == g].mean() for g in range(40)]) / np.sqrt(40)
    assert many.high - many.low == pytest.approx(expected, rel=0.15)
    assert interval(np.zeros(10, int), mean) == Figure(float(values[:10].mean()))
    assert interval(np.zeros(0, int), mean) == Figure(None)
