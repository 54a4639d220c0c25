"""Several units in hand at once: while one has the device, others read ahead or write.

Every unit goes its whole way in one thread; the engine lets one of them explain at a time. So
reading, explaining and writing overlap, and no more than ``count`` chunks are in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

from geogaze.evidence.heap import keep_freed_memory
from geogaze.runner.work import Stopped, Worker

_MOST_LEFT_BEHIND = 8  # threads that hold a chunk's memory, and nothing frees them


class Lanes:
    """Does units, each in a thread of its own, on a few lanes.

    A lane is free when its unit has ended, or when the unit is nobody's any more and yet does not
    end (see :class:`geogaze.runner.heartbeat.Heartbeat`).
    """

    def __init__(
        self,
        worker: Worker,
        count: int,
        *,
        on_settled: Callable[[], None] = lambda: None,
        on_broken: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        """``on_settled`` is called on a lane's own thread after each of its units; ``on_broken``
        once, with what a lane could not go on after, unless that was being told to stop.
        """
        keep_freed_memory()  # before threads make memory pools of their own
        self._worker = worker
        self._count = count
        self._on_settled = on_settled
        self._on_broken = on_broken
        self._changed = threading.Condition()
        self._held: set[threading.Thread] = set()
        self._left_behind: set[threading.Thread] = set()
        self._ended = 0
        self._failure: BaseException | None = None

    @property
    def ended(self) -> int:
        """Grows whenever a unit has ended or was left behind: another may have become due."""
        return self._ended

    @property
    def busy(self) -> int:
        """Units in hand."""
        return len(self._held)

    def take(self, unit: UUID) -> None:
        """Start a unit, and wait until a lane is free for another.

        So whoever asks for units asks only once one can start, and the most urgent one is next.

        Raises:
            BaseException: what an earlier unit ended with, if not with a failure of its own.
        """
        lane = threading.Thread(target=self._run, args=(unit,), daemon=True, name="lane")
        with self._changed:
            self._wait_for_lane()
            self._held.add(lane)
        lane.start()
        with self._changed:
            self._wait_for_lane()

    def _wait_for_lane(self) -> None:
        self._changed.wait_for(lambda: self.busy < self._count or self._failure)
        self._raise_failure()

    def settle(self, ended: int, seconds: float) -> None:
        """Wait until units have ended since ``ended`` was read, but no longer than this.

        Raises:
            BaseException: as :meth:`take`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended > ended or self._failure, seconds)
            self._raise_failure()

    def end(self) -> None:
        """Start no more units and hand back those in hand, each after its batch; does not wait.

        Who starts units, on another thread, is told so by :class:`Stopped`.
        """
        self._worker.stop()
        with self._changed:
            self._failure = self._failure or Stopped()
            self._changed.notify_all()

    def close(self, patience: float = 0.0, grace: float | None = None) -> None:
        """Let units end for some seconds, then hand the rest back after their batch.

        Args:
            patience: seconds that units have to end.
            grace: seconds that those have which are to be handed back; None: as long as they take.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._held, patience)
            self._worker.stop()
            self._changed.wait_for(lambda: not self._held, grace)

    def _run(self, unit: UUID) -> None:
        lane = threading.current_thread()
        failure: BaseException | None = None
        try:
            following: UUID | None = unit
            while following and lane in self._held:
                claim = self._worker.run(following, self._leave_behind)
                self._tell_ended()
                self._on_settled()
                following = self._worker.following(claim) if claim else None
        except BaseException as error:  # raised where units are given out
            failure = error
        self._free(lane, failure)

    def _tell_ended(self) -> None:
        with self._changed:
            self._ended += 1
            self._changed.notify_all()

    def _leave_behind(self, lane: threading.Thread) -> None:
        with self._changed:
            self._left_behind.add(lane)
            many = len(self._left_behind) > _MOST_LEFT_BEHIND
        problem = (
            f"{_MOST_LEFT_BEHIND} units were dismissed or lost, and their reads do not return."
        )
        self._free(lane, TimeoutError(problem) if many else None)

    def _free(self, lane: threading.Thread, failure: BaseException | None) -> None:
        with self._changed:
            if lane is threading.current_thread():
                self._left_behind.discard(lane)
            if lane in self._held:
                self._held.remove(lane)
                self._ended += lane is not threading.current_thread()
            breaks = failure is not None and self._failure is None
            self._failure = self._failure or failure
            self._changed.notify_all()
        if breaks and failure is not None and not isinstance(failure, Stopped):
            self._on_broken(failure)

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure
