"""Times as RFC 3339 writes them, and intervals of two with a slash between. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from geogaze.errors import InvalidRequest

_OPEN = frozenset({"", ".."})
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def instant(text: str) -> float:
    """Seconds since 1970 of a time such as ``2026-11-30T06:11:43.5Z``.

    Raises:
        InvalidRequest: it is none, or has no offset.
    """
    refusal = InvalidRequest(
        f"datetime: {text[:80]!r} is not an RFC 3339 date and time with its offset, such as "
        "2026-11-30T06:11:43Z."
    )
    if (found := _INSTANT.fullmatch(text)) is None:
        raise refusal
    day, clock, fraction, offset = found.groups()
    micro = (fraction or ".0")[:7]
    try:
        return datetime.fromisoformat(f"{day}T{clock}{micro}{offset.upper()}").timestamp()
    except (ValueError, OverflowError) as error:
        raise refusal from error


def interval(text: str) -> tuple[float | None, float | None]:
    """From when until when, both included: an instant, or ``START/END`` with ``..`` for open.

    Raises:
        InvalidRequest: it is none, open at both ends, or ends before it starts.
    """
    start, *rest = text.split("/")
    if not rest:
        return (instant(start),) * 2
    if len(rest) > 1 or {start, rest[0]} <= _OPEN:
        raise InvalidRequest(
            f"datetime: {text[:80]!r} is no interval: write START/END, .. for one that is open."
        )
    since, until = (None if part in _OPEN else instant(part) for part in (start, rest[0]))
    if since is not None and until is not None and since > until:
        raise InvalidRequest(f"datetime: {text[:80]!r} ends before it starts.")
    return since, until


def written(seconds: float) -> str:
    """A time in UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
