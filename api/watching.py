"""Jobs that somebody watches: each is asked for once a second, however many watch it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from geogaze.errors import JobNotFound
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import OPEN_JOB
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.so_far import SoFar, so_far

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_LEAST_REST = 0.25  # of a pause, also where a look takes as long: databases have other work


@dataclass(frozen=True)
class Seen:
    """A job at a moment: its status, and the picture that shows it best, if there is one."""

    status: JobStatus
    picture: SoFar | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status.state not in OPEN_JOB

    def differs(self, other: Seen | None) -> bool:
        """Whether there is anything to tell; that time has passed is not."""
        if other is None or self.picture != other.picture:
            return True
        return replace(self.status, now=0.0) != replace(other.status, now=0.0)


class Watching:
    """Tells watchers of jobs' changes, on the event loop that serves requests.

    Args:
        ledger: where jobs are asked for; who may watch which is not its business.
        pause: from one look at a job to the next, in seconds; more where a look takes longer.
    """

    def __init__(self, ledger: Ledger, *, pause: float = _PAUSE_SECONDS) -> None:
        self._ledger, self._pause = ledger, pause
        self._watched: dict[UUID, _Watched] = {}

    async def changes(self, job_id: UUID) -> AsyncGenerator[Seen]:
        """A job as it is, and again whenever it has changed, until it has ended.

        A watcher that is slow misses what was between: each time it gets the last there is.
        """
        watched = self._watched.get(job_id)
        if watched is None:
            watched = self._watched[job_id] = _Watched(lambda last: self._look(job_id, last))
            watched.task = asyncio.create_task(watched.run(self._pause), name=f"watch {job_id}")
        watched.watchers += 1
        try:
            number = 0
            while True:
                number, seen = await watched.after(number)
                if seen is None:
                    return
                yield seen
                if seen.ended:
                    return
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                self._watched.pop(job_id, None)
                watched.task.cancel()

    async def ended(self, job_id: UUID, seconds: float) -> bool:
        """Wait until a job has ended, for so many seconds at most; whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(self.changes(job_id)) as changes:
                async for seen in changes:
                    if seen.ended:
                        return True
        return False

    def _look(self, job_id: UUID, last: Seen | None) -> Seen:
        status = self._ledger.status(job_id)
        if last is not None and last.status.items_done == status.items_done:
            return Seen(status, last.picture)
        return Seen(status, so_far(self._ledger, job_id))


class _Watched:
    """One job, looked at on a thread."""

    task: asyncio.Task[None]

    def __init__(self, look: Callable[[Seen | None], Seen]) -> None:
        self.watchers = 0
        self._look = look
        self._seen: Seen | None = None
        self._number = 0
        self._gone = False
        self._changed = asyncio.Condition()

    async def after(self, number: int) -> tuple[int, Seen | None]:
        """What is newer than a state of this number, and its number; None: the job is gone."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._number > number or self._gone)
            return self._number, None if self._gone else self._seen

    async def run(self, pause: float) -> None:
        """Look until the job has ended."""
        clock = asyncio.get_running_loop().time
        while not self._gone and not (self._seen and self._seen.ended):
            due = clock() + pause
            try:
                found = await asyncio.to_thread(self._look, self._seen)
            except JobNotFound:
                await self._tell(None)
            except Exception as error:  # whatever ails the database, it may be back the next time
                log.warning("watched job not read", error=str(error))
            else:
                if found.differs(self._seen):
                    await self._tell(found)
            await asyncio.sleep(max(due - clock(), pause * _LEAST_REST))

    async def _tell(self, found: Seen | None) -> None:
        async with self._changed:
            self._gone = found is None
            self._seen = found
            self._number += 1
            self._changed.notify_all()
