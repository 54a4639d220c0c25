"""Planning for others: a few at once from each place, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import SceneAway
from geogaze.processes.plan import ProcessPlan
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import Process
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import load_readers


class Planner:
    """Makes plans on threads of its own.

    Each host and bucket has its own, so that one that is silent holds up its own scenes alone.
    There are no more of them than the operator allows places.
    """

    def __init__(self, settings: Settings) -> None:
        load_readers()
        self._settings = settings
        self._policy = SourcePolicy.of(settings)
        self._lock = threading.Lock()
        self._desks: dict[str, ThreadPoolExecutor] = {}

    async def plan(self, process: Process, request: ProcessRequest) -> ProcessPlan:
        """Plan a job, as the process's own function does.

        Raises:
            SceneAway: it took too long; what was begun ends by the limits for remote reads.
            GeogazeError: what the request is not fit for.
        """
        source = request.source
        place = self._policy.place(source) if source is not None else process.id
        seconds = self._settings.plan_seconds
        planned: Future[ProcessPlan] = self._desk(place).submit(
            resolve(process.plan), request, self._settings
        )
        try:
            return await asyncio.wait_for(asyncio.wrap_future(planned), seconds)
        except TimeoutError as error:
            raise SceneAway(
                f"{source or place!r} could not be opened and planned within {seconds:g} s: it "
                f"takes long, or others from {place!r} do. Try again later."
            ) from error

    def _desk(self, place: str) -> ThreadPoolExecutor:
        with self._lock:
            if place not in self._desks:
                count = self._settings.plans_at_once
                self._desks[place] = ThreadPoolExecutor(count, thread_name_prefix=f"plan {place}")
            return self._desks[place]

    def close(self) -> None:
        """Begin no other plan; those begun end by themselves."""
        for desk in self._desks.values():
            desk.shutdown(wait=False, cancel_futures=True)
