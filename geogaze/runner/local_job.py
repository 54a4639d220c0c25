"""A job in a ledger and a folder of its own, all of whose units are done in this process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from geogaze.config import Settings
from geogaze.errors import DatabaseUnavailable, GeogazeError, JobFailed, StorageUnavailable
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.explain.so_far import so_far
from geogaze.processes.submit import asked_for, submit
from geogaze.runner.lanes import Lanes
from geogaze.runner.pulse import OnPicture, OnProgress
from geogaze.runner.work import Worker
from geogaze.runner.workspace import Workspace
from geogaze.storage import FolderStorage

_POLL_SECONDS = 5.0  # units that end wake the loop; this is for a clock that went wrong
_PAUSE_SECONDS = 0.5  # before units are taken back that a failing database left in nobody's hands
_MOST_PAUSES = 3  # one after the other; each may cost a unit's work again


class LocalJob:
    """A run's job in its own ledger: begun, or found there as an earlier run left it."""

    def __init__(
        self,
        request: ExplainRequest,
        plan: Plan,
        settings: Settings,
        space: Workspace,
        on_progress: OnProgress,
        on_picture: OnPicture = lambda picture: None,
    ) -> None:
        here = settings.model_copy(
            update={
                "database_url": f"sqlite:///{space.folder / 'ledger.db'}",
                "storage": str(space.objects),
                "scratch": settings.scratch or space.scratch,  # products need no copy from there
            }
        )
        self._settings = here
        self._progress = Progress(on_progress)
        self._on_picture = on_picture
        self._shown = 0
        self._showing = threading.Lock()
        self._worker = Worker.from_settings(  # a full disk gets no emptier while we wait
            here, on_items=self._progress.add, ends_with=(StorageUnavailable,)
        )
        self._ledger = self._worker.resources.ledger
        self._queue = Queue(self._ledger.database)
        try:
            self._ledger.create_tables()
            self._id = _found(self._ledger, request) or submit(self._ledger, request, plan)
            for other in self._ledger.jobs(limit=1000, states=OPEN_JOB):
                if other.id != self._id:  # shows the same parts otherwise, and waits for its turn
                    self._ledger.dismiss(other.id)
            if self._ledger.status(self._id).state is JobState.FAILED:
                self._ledger.retry(self._id)
            self._take_back()
            self.before = self._ledger.status(self._id).items_done
        except BaseException:
            self.close()
            raise

    @property
    def storage(self) -> FolderStorage:
        """Where its products lie."""
        storage = self._worker.resources.storage
        assert isinstance(storage, FolderStorage)
        return storage

    @property
    def results(self) -> dict[str, Any]:
        """What came of it: ``files``, and what was ``skipped``."""
        return self._ledger.assets(self._id) or {}

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.database.dispose()

    def _take_back(self) -> None:
        """Free units that nobody has in hand: this process is the only one at work here."""
        self._queue.take_back(patience=Patience.of(self._settings))

    def finish(self) -> JobStatus:
        """Do what is left of it.

        Raises:
            GeogazeError: the job failed.
            DatabaseUnavailable: the ledger does not keep what units hand in.
        """
        lanes = Lanes(self._worker, self._settings.lanes, on_settled=self._settled)
        # Ctrl-C is raised on the main thread, wherever that is: in the middle of a transaction it
        # would leave the ledger locked. So that thread does nothing but wait.
        with ThreadPoolExecutor(1, "job") as apart:
            working = apart.submit(self._give_out, lanes)
            try:
                return working.result()
            except BaseException:
                lanes.end()
                raise

    def _give_out(self, lanes: Lanes) -> JobStatus:
        """Give out units until the job has ended."""
        ledger, job_id, progress = self._ledger, self._id, self._progress
        progress.show(ledger.status(job_id))
        left, pauses = None, 0
        try:
            while (status := ledger.status(job_id)).state in OPEN_JOB:
                if (now_left := [p.remaining for p in status.phases.values()]) != left:
                    left, pauses = now_left, 0
                ended = lanes.ended
                messages = self._queue.dispatch(1)
                for message in messages:
                    lanes.take(message.unit)
                if messages:
                    continue
                due = self._queue.next_due_in()
                if lanes.busy:
                    lanes.settle(ended, _POLL_SECONDS)
                elif due is not None and due > 0:
                    lanes.settle(ended, due)
                elif (pauses := pauses + 1) > _MOST_PAUSES:
                    raise DatabaseUnavailable(f"The run's own ledger fails: {status.last_error}.")
                else:
                    lanes.settle(ended, _PAUSE_SECONDS)
                    self._take_back()
            lanes.settle(0, 0)
        finally:
            lanes.close()
        if status.state is not JobState.SUCCESSFUL:
            raise _failure(status)
        return status

    def _settled(self) -> None:
        """Tell where the job stands, and show the picture of all so far, if it shows more."""
        status = self._ledger.status(self._id)
        self._progress.show(status)
        if status.phase != "explain":
            return
        with self._showing:
            picture = so_far(self._ledger, self._id)
            if picture and picture.tiles > self._shown:
                self._shown = picture.tiles
                self._on_picture(self.storage.get(picture.key))


def _found(ledger: Ledger, request: ExplainRequest) -> UUID | None:
    """The job of the same request that an earlier run left."""
    asked = asked_for(request)
    jobs = ledger.jobs(limit=1000, states=set(JobState) - {JobState.DISMISSED})
    return next((job.id for job in jobs if ledger.request(job.id) == asked), None)


class Progress:
    """What to tell of a job while its units run side by side."""

    def __init__(self, tell: OnProgress) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._status: JobStatus | None = None
        self._since: dict[int, int] = {}  # tiles of each thread's unit, not yet in the status

    def add(self, tiles: int) -> None:
        """Count tiles of this thread's unit."""
        with self._lock:
            here = threading.get_ident()
            self._since[here] = self._since.get(here, 0) + tiles
            assert self._status
            self._tell(self._status, sum(self._since.values()))

    def show(self, status: JobStatus) -> None:
        """Tell a new status, which holds this thread's unit."""
        with self._lock:
            self._since.pop(threading.get_ident(), None)
            if self._status is None or status.items_done >= self._status.items_done:
                self._status = status
            self._tell(self._status, sum(self._since.values()))


def _failure(status: JobStatus) -> GeogazeError:
    slug = (status.problem or {}).get("slug")
    kinds = (kind for kind in _subclasses(GeogazeError) if kind.slug == slug)
    return next(kinds, JobFailed)(status.message)


def _subclasses(kind: type[GeogazeError]) -> list[type[GeogazeError]]:
    return [kind, *(below for k in kind.__subclasses__() for below in _subclasses(k))]
