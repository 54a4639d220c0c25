"""Figures as people read them."""

from __future__ import annotations


def length(metres: float) -> str:
    """A distance with its unit, three digits at most, never as a power of ten."""
    if metres >= 1000:
        return f"{_three(metres / 1000)} km"
    if metres >= 0.1:
        return f"{_three(metres)} m"
    return f"{_three(metres * 1000)} mm"


def _three(value: float) -> str:
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
