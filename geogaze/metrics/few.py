"""Labels whose values users make are kept few: Prometheus pays for each. Pure."""

from __future__ import annotations

from collections import Counter
from threading import Lock

from geogaze.metrics.table import Readings

OTHERS = "(others)"
"""What all the rest are called together."""


def folded(readings: Readings, place: int, most: int) -> Readings:
    """Readings in which one label has few values: those with the greatest sums, and all others
    together.

    Args:
        readings: values by those of the labels.
        place: of the label among them.
        most: values that keep their names.
    """
    sums: Counter[str] = Counter()
    for labels, value in readings.items():
        sums[labels[place]] += value  # type: ignore[assignment]  # counters add any number
    named = set(sorted(sums, key=lambda name: (-sums[name], name))[:most])
    kept: dict[tuple[str, ...], float] = {}
    for labels, value in readings.items():
        name = labels[place] if labels[place] in named else OTHERS
        whose = (*labels[:place], name, *labels[place + 1 :])
        kept[whose] = kept.get(whose, 0.0) + value
    return kept


class Few:
    """Names for a counter's label: the first so many of a process, the others together. For many
    threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()
        self._lock = Lock()

    def of(self, name: str) -> str:
        """The name itself, or that of the others."""
        with self._lock:
            if name not in self._known:
                if len(self._known) >= self._most:
                    return OTHERS
                self._known.add(name)
            return name
