"""How quickly items are done of late, and how long the rest takes. Pure: clocks are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SPACING = 2.0  # seconds between marks
_WINDOW = 30.0  # seconds that count, or the last two marks where they lie further apart
_SILENT = 30.0  # seconds without a mark after which nobody knows …
_GAPS = 3  # … or so many times those between marks, where batches take long …
_PATIENCE = 300.0  # … or seconds, while there is a single mark

Mark = tuple[float, int]
"""Seconds of some clock, and the items that were done by then."""


@dataclass(frozen=True)
class Pace:
    """Marks of a phase, oldest first; the first is of its first batch.

    So what comes before, such as loading a network, or an earlier job's items, is not in the rate.
    """

    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, stored: Sequence[Sequence[float]] | None) -> Pace:
        """The pace whose marks were kept as JSON."""
        return cls(tuple((at, int(items)) for at, items in stored or ()))

    def seen(self, now: float, items: int) -> Pace:
        """With a mark more; the very same where the last one is of just now.

        Args:
            now: seconds, of the same clock always.
            items: all that are done. Fewer than before were taken back, and count no more.
        """
        if not self.marks or self._silent(now):
            return Pace(((now, items),))
        last_at, last = self.marks[-1]
        if now - last_at < _SPACING:
            return self
        lost = max(0, last - items)
        marks = [*((at, count - lost) for at, count in self.marks), (now, items)]
        while len(marks) > 2 and now - marks[1][0] >= _WINDOW:
            del marks[0]
        return Pace(tuple(marks))

    def rate(self, now: float) -> float | None:
        """Items per second of late; None while it cannot be told, or nothing is heard any more."""
        if len(self.marks) < 2 or self._silent(now):
            return None
        (begun, before), (at, items) = self.marks[0], self.marks[-1]
        return (items - before) / (at - begun) if items > before else None

    def seconds_left(self, now: float, items: int) -> float | None:
        """Until so many items are done, at this rate; None where there is none."""
        if (rate := self.rate(now)) is None:
            return None
        at, done = self.marks[-1]
        since = min(max(now - at, 0.0), self._gap())  # the next batch is that far
        return max(0.0, (items - done) / rate - since)

    def _gap(self) -> float:
        """Mean seconds between marks, of which there are two at least."""
        return (self.marks[-1][0] - self.marks[0][0]) / (len(self.marks) - 1)

    def _silent(self, now: float) -> bool:
        """Whether the last mark is too old to tell anything, or of a clock that was put back."""
        single = len(self.marks) == 1
        limit = _PATIENCE if single else max(_SILENT, _GAPS * self._gap())
        return abs(now - self.marks[-1][0]) > limit
