"""Figures as people read them."""

from __future__ import annotations

import pytest

from geogaze.wording import length


@pytest.mark.parametrize(
    ("metres", "said"),
    [
        (3200, "3.2 km"),
        (3204.9, "3.2 km"),
        (1_234_567, "1,235 km"),
        (999.7, "1,000 m"),
        (320, "320 m"),
        (99.96, "100 m"),
        (16, "16 m"),
        (10.97, "11 m"),
        (5.333, "5.33 m"),
        (0.3428571, "0.343 m"),
        (0.05, "50 mm"),
        (0.0005, "0.5 mm"),
    ],
)
def test_lengths_are_never_powers_of_ten(metres: float, said: str) -> None:
    assert length(metres) == said
