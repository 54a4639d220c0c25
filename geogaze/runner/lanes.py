"""Several units in hand at once: while one has the device, others read ahead or write.

Every unit goes its whole way in one thread; the engine lets one of them explain at a time. So
reading, explaining and writing overlap, and no more than ``count`` chunks are in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from geogaze.explain.device import keep_freed_memory
from geogaze.runner.work import Worker


class Lanes:
    """Does units on a few threads."""

    def __init__(
        self, worker: Worker, count: int, *, on_settled: Callable[[], None] = lambda: None
    ) -> None:
        """``on_settled`` is called on a lane's own thread after each of its units."""
        keep_freed_memory()  # before threads make memory pools of their own
        self._worker = worker
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane")
        self._count = count
        self._on_settled = on_settled
        self._changed = threading.Condition()
        self._busy = 0
        self._ended = 0
        self._failure: BaseException | None = None

    @property
    def ended(self) -> int:
        """Units that have ended."""
        return self._ended

    @property
    def busy(self) -> int:
        """Units in hand."""
        return self._busy

    def take(self, unit: UUID) -> None:
        """Start a unit, and wait until a lane is free for another.

        So whoever asks for units asks only once one can start, and the most urgent one is next.

        Raises:
            BaseException: what an earlier unit ended with, if not with a failure of its own.
        """
        with self._changed:
            self._wait_for_lane()
            self._busy += 1
        self._pool.submit(self._run, unit)
        with self._changed:
            self._wait_for_lane()

    def _wait_for_lane(self) -> None:
        self._changed.wait_for(lambda: self._busy < self._count or self._failure)
        self._raise_failure()

    def settle(self, ended: int, seconds: float) -> None:
        """Wait for more than ``ended`` units to have ended, but no longer than this.

        Raises:
            BaseException: as :meth:`take`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended > ended or self._failure, seconds)
            self._raise_failure()

    def close(self, patience: float = 0.0) -> None:
        """Let units end for some seconds, then hand the rest back after their batch."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, patience)
        self._worker.stop()
        self._pool.shutdown()

    def _run(self, unit: UUID) -> None:
        try:
            following: UUID | None = unit
            while following:
                claim = self._worker.run(following)
                self._on_settled()
                following = self._worker.following(claim) if claim else None
        except BaseException as error:
            self._failure = error  # raised where units are given out
        finally:
            with self._changed:
                self._busy -= 1
                self._ended += 1
                self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure
