"""Figures as people read them."""

from __future__ import annotations

_LONG = 200  # characters


def length(metres: float) -> str:
    """A distance with its unit, three digits at most, never as a power of ten."""
    if metres >= 1000:
        return f"{_three(metres / 1000)} km"
    if metres >= 0.1:
        return f"{_three(metres)} m"
    return f"{_three(metres * 1000)} mm"


def area(square_metres: float) -> str:
    """An area with its unit, three digits at most, never as a power of ten."""
    if square_metres >= 1e6:
        return f"{_three(square_metres / 1e6)} km²"
    if square_metres >= 1e4:
        return f"{_three(square_metres / 1e4)} ha"
    return f"{_three(square_metres)} m²"


def size(count: float) -> str:
    """A number of bytes with its unit, three digits at most."""
    for unit, of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= of:
            return f"{_three(count / of)} {unit}"
    return f"{_three(count / 1e3)} kB"


def duration(seconds: float) -> str:
    """A time as people tell it."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def one_line(error: object) -> str:
    """The first line of what an error of somebody else's says, to end a sentence with."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{first[:_LONG].rstrip('.')}." if first else "it does not say why."


def _three(value: float) -> str:
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
