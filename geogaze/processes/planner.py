"""Planning for others: a few at once from each place, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from geogaze.config import Settings
from geogaze.errors import SceneAway
from geogaze.processes.explain.plan import Plan, make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.scene.policy import SourcePolicy


class Planner:
    """Makes plans on threads of its own.

    Each host and bucket has its own, so that one that is silent holds up its own scenes alone.
    There are no more of them than the operator allows places.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policy = SourcePolicy.of(settings)
        self._lock = threading.Lock()
        self._desks: dict[str, ThreadPoolExecutor] = {}

    async def plan(self, request: ExplainRequest) -> Plan:
        """Plan a job, as :func:`geogaze.processes.explain.plan.make_plan` does.

        Raises:
            SceneAway: it took too long; what was begun ends by the limits for remote reads.
            GeogazeError: what the request is not fit for.
        """
        place = self._policy.place(request.scene)
        seconds = self._settings.plan_seconds
        made = self._desk(place).submit(make_plan, request, self._settings)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(made), seconds)
        except TimeoutError as error:
            raise SceneAway(
                f"{request.scene!r} could not be opened and planned within {seconds:g} s: it takes "
                f"long, or others from {place!r} do. Try again later."
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
