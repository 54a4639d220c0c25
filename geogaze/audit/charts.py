"""The few charts of an audit's page, as SVG that takes its colours from the page. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

_WIDTH = 720.0
_NAMES = 230.0  # width of what stands left of a chart
_LINE = 28.0

Figure = Mapping[str, float | None]


def gauge(figure: Figure, low: float, high: float) -> str:
    """A share on a scale from 0 to 1 with the two thresholds of the verdict."""

    def x(value: float) -> float:
        return 10 + min(max(value, 0.0), 1.05) / 1.05 * (_WIDTH - 20)

    zones = ((0.0, low, "surroundings"), (low, high, "both"), (high, 1.05, "object"))
    parts = [
        f'<rect x="{x(start):.1f}" y="24" width="{x(stop) - x(start) - 2:.1f}" height="14" '
        f'rx="3" fill="var(--line)"/>'
        f'<text class="soft" x="{(x(start) + x(stop)) / 2:.1f}" y="60" text-anchor="middle">'
        f"{name}</text>"
        for start, stop, name in zones
    ]
    parts += [_whisker(figure, x, 31.0)]
    if (value := figure["value"]) is not None:
        parts.append(f'<text x="{x(value):.1f}" y="15" text-anchor="middle">R = {value:.2f}</text>')
    return _svg(68, "".join(parts), "The share of the rise that the object carries")


def bars(values: Mapping[str, float], unit: str) -> str:
    """Signed values by name, from a common zero."""
    most = max((abs(value) for value in values.values()), default=0.0) or 1.0
    lowest = min(0.0, *values.values()) / most
    highest = max(0.0, *values.values()) / most
    span = (_WIDTH - _NAMES - 80) / (highest - lowest)
    zero = _NAMES + 10 - lowest * span
    axis = (
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="4" y2="{len(values) * _LINE:.0f}" '
        'stroke="var(--soft)"/>'
    )
    parts = [axis]
    for row, (name, value) in enumerate(values.items()):
        y, length = row * _LINE + 6, abs(value) / most * span
        start = zero if value >= 0 else zero - length
        colour = "for" if value >= 0 else "against"
        end = max(zero, start + length) + 8
        parts.append(
            f"{_name(name, y + 13)}"
            f'<rect x="{start:.1f}" y="{y:.0f}" width="{max(length, 0.5):.1f}" height="16" rx="2" '
            f'fill="var(--{colour})"/><text x="{end:.1f}" y="{y + 13:.0f}">{value:+.2f}</text>'
        )
    return _svg(len(values) * _LINE + 6, "".join(parts), f"Values in {unit}")


def intervals(figures: Mapping[str, Any], caption: str) -> str:
    """Ratios by name with their intervals, on a scale of powers of two; 1 is marked."""
    known = {name: figure for name, figure in figures.items() if figure["value"]}
    ends = [
        end for figure in known.values() for end in (figure["low"], figure["value"], figure["high"])
    ]
    logs = [math.log2(max(end, 1 / 64)) for end in ends if end is not None]
    low, high = math.floor(min(-1.0, *logs)), math.ceil(max(1.0, *logs))
    scale = (_WIDTH - _NAMES - 40) / (high - low)

    def x(value: float) -> float:
        return _NAMES + 10 + (math.log2(max(value, 2.0**low)) - low) * scale

    bottom = len(known) * _LINE + 4
    parts = []
    for power in range(low, high + 1):
        at, strong = x(2.0**power), power == 0
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{bottom:.0f}" '
            f'stroke="var(--{"soft" if strong else "line"})"/>'
            f'<text class="soft" x="{at:.1f}" y="{bottom + 17:.0f}" text-anchor="middle">'
            f"{2.0**power:g}</text>"
        )
    for row, (name, figure) in enumerate(known.items()):
        y = row * _LINE + 15
        parts.append(_name(name, y + 4) + _whisker(figure, x, y))
    parts.append(
        f'<text class="soft" x="{_NAMES + 10:.0f}" y="{bottom + 38:.0f}">{escape(caption)}</text>'
    )
    return _svg(bottom + 46, "".join(parts), caption)


def _name(name: str, y: float) -> str:
    return f'<text x="{_NAMES:.0f}" y="{y:.0f}" text-anchor="end">{escape(name)}</text>'


def _whisker(figure: Figure, x: Any, y: float) -> str:
    """A dot with the line of its interval."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return ""
    line = ""
    if low is not None and high is not None:
        line = (
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="var(--for)" stroke-width="3" stroke-linecap="round"/>'
        )
    return f'{line}<circle cx="{x(value):.1f}" cy="{y:.1f}" r="5" fill="var(--mark)"/>'


def _svg(height: float, content: str, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{content}</svg>"
    )
