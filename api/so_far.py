"""Jobs at work whose heat is drawn as far as it is: held for whoever looks again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from api.dependencies import JobId, Services, With
from geogaze.errors import ReleaseDiffers, ResultNotReady, ResultsGone
from geogaze.gis.so_far import HeatSoFar
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import JobState
from geogaze.processes.explain.plan import Plan

_JOBS = 8  # that are held


def at_work(status: JobStatus) -> bool:
    """Whether a job's heat grows, or has stopped growing without products in its place."""
    ended = status.state in {JobState.DISMISSED, JobState.SUCCESSFUL}
    return status.process == Plan.process and not ended


class Growing:
    """The heat of jobs at work, of those that somebody asked for of late."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[UUID, HeatSoFar] = OrderedDict()

    def of(self, services: Services, job_id: UUID) -> HeatSoFar:
        """A job's heat with what its finished units have left by now.

        Raises:
            JobNotFound: there is no such job.
            ResultsGone: it was dismissed, or its products have taken the place of its parts.
            ResultNotReady: it makes no heat, or its plan is one of another release.
        """
        status = services.ledger.status(job_id)
        if status.process != Plan.process:
            raise ResultNotReady(f"Job {job_id} of {status.process!r} makes no heat.")
        if not at_work(status):
            raise ResultsGone(
                f"Job {job_id} is {status.state.value}: what showed it at work is gone."
            )
        heat = self._heat(services, job_id)
        heat.lay(services.storage, services.ledger.parts(job_id, "explain"))
        return heat

    def _heat(self, services: Services, job_id: UUID) -> HeatSoFar:
        with self._lock:
            if job_id in self._held:
                self._held.move_to_end(job_id)
                return self._held[job_id]
        try:
            made = HeatSoFar(Plan.read(services.ledger.plan(job_id)))
        except ReleaseDiffers as error:
            raise ResultNotReady(
                f"Job {job_id} was planned by another release of geogaze: its heat shows once it "
                "has ended."
            ) from error
        with self._lock:
            heat = self._held.setdefault(job_id, made)
            while len(self._held) > _JOBS:
                self._held.popitem(last=False)
        return heat


def _so_far(request: Request, job_id: JobId, services: With) -> HeatSoFar:
    growing: Growing = request.app.state.growing
    return growing.of(services, job_id)


OneSoFar = Annotated[HeatSoFar, Depends(_so_far)]
