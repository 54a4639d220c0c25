"""Who is at work in a process at the same time: several units, or one that is to be alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Company:
    """Lets units work side by side, and one alone where that is asked for.

    A unit that kills its process takes down who works beside it. Whose last try decides about it is
    tried alone, so that it is not condemned for what another did.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._here: set[threading.Thread] = set()
        self._to_be_alone = 0  # threads that are, or wait to be: nobody joins before them

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Work beside others, once nobody is alone or waits to be."""
        lane = threading.current_thread()
        with self._changed:
            self._changed.wait_for(lambda: not self._to_be_alone)
            self._here.add(lane)
        try:
            yield
        finally:
            self.leave(lane)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work once all others have left."""
        lane = threading.current_thread()
        with self._changed:
            self._to_be_alone += 1
            self._changed.wait_for(lambda: not self._here)
            self._here.add(lane)
        try:
            yield
        finally:
            with self._changed:
                self._to_be_alone -= 1
            self.leave(lane)

    def leave(self, lane: threading.Thread) -> None:
        """Wait no more for a thread: it has ended, or its unit is nobody's and it hangs on."""
        with self._changed:
            self._here.discard(lane)
            self._changed.notify_all()
