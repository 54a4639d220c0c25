"""What a request's values may be at most, before anything else looks at them."""

from __future__ import annotations

from typing import Any

DEEPEST = 32
MOST_POINTS = 100_000


def check_values(document: Any) -> Any:
    """Refuse what is nested too deep, and text that no database holds; else the document.

    Raises:
        ValueError: says which.
    """
    waiting: list[tuple[Any, tuple[str, ...]]] = [(document, ())]
    while waiting:
        value, place = waiting.pop()
        if len(place) >= DEEPEST:
            raise ValueError(f"{place[0]}: values are nested deeper than {DEEPEST}")
        if isinstance(value, str):
            if "\0" in value or not _is_text(value):
                where = ".".join(place) or "a name"
                raise ValueError(
                    f"{where}: {value[:80]!r} has a null or half a character (a file whose name "
                    "is not UTF-8 text has to be renamed)"
                )
        elif isinstance(value, dict):
            waiting += ((key, place) for key in value)
            waiting += ((part, (*place, str(key)[:80])) for key, part in value.items())
        elif isinstance(value, list | tuple):
            within = (*place, "[]")
            waiting += ((part, within) for part in value)
    return document


def check_points(area: Any) -> Any:
    """Refuse an area of interest of too many points; else the area.

    Raises:
        ValueError: it has more than :data:`MOST_POINTS`.
    """
    points, waiting = 0, [area]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            points += bool(value) and isinstance(value[0], int | float)
            waiting += (part for part in value if isinstance(part, list | dict))
    if points > MOST_POINTS:
        raise ValueError(f"it has {points} points; at most {MOST_POINTS} are taken: simplify it")
    return area


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
