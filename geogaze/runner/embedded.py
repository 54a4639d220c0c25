"""The whole way of a job in this process: SQLite for the ledger, a folder for the objects.

The planner, the ledger, the units and the products are those of the distributed system; only the
loop that hands out units is different. A run that is interrupted, or that its machine fails, leaves
its ledger and parts in the folder of the products, and the same command goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from geogaze.config import Settings
from geogaze.errors import (
    DatabaseUnavailable,
    GeogazeError,
    Interrupted,
    JobFailed,
    ScratchUnusable,
    StorageUnavailable,
)
from geogaze.evidence.engine import load_engine
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.retries import Patience
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.ledger.store import Ledger
from geogaze.outputs import Kind, check_folder, former_products
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.submit import asked_for, submit
from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Worker
from geogaze.runner.workspace import Workspace, workspace
from geogaze.storage import FolderStorage

_POLL_SECONDS = 5.0  # units that end wake the loop; this is for a clock that went wrong
_PAUSE_SECONDS = 0.5  # before units are taken back that a failing database left in nobody's hands
_MOST_PAUSES = 3  # one after the other; each may cost a unit's work again

OnProgress = Callable[[JobStatus, int], None]
"""Gets the job's status and the tiles done since it was taken."""

OnResumed = Callable[[int, int], None]
"""Gets the tiles that an earlier run explained, and all there are."""


@dataclass(frozen=True)
class RunReport:
    """What an embedded run made. ``assets`` maps names to files.

    ``reused`` of the ``tiles`` were explained by an earlier run that did not come to its end.
    """

    job: UUID
    plan: Plan
    tiles: int
    reused: int
    seconds: float
    assets: dict[str, Path]
    skipped: list[dict[str, Any]]

    @property
    def tiles_per_second(self) -> float:
        """This run's own tiles over its wall time, products included."""
        return (self.tiles - self.reused) / self.seconds


def run(
    request: ExplainRequest,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    on_planned: Callable[[Plan], None] = lambda plan: None,
    on_progress: OnProgress = lambda status, tiles: None,
    on_resumed: OnResumed = lambda tiles, of: None,
) -> RunReport:
    """Explain a scene and put the products into a folder.

    Args:
        request: what to do; its scene may be any local file, its model any bundle folder.
        out: the folder for the products. The parts of a run of the same work that did not come to
            its end there are used.
        settings: device, batch size and the like; where the ledger and objects live is not taken
            from them.
        overwrite: whether ``out`` may be in use; an earlier run's products there are replaced.
        on_planned: called before any work.
        on_progress: called after every batch of tiles and every unit.
        on_resumed: called before the work, where an earlier run explained some.

    Raises:
        Interrupted: by Ctrl-C, after the batch in hand; what was explained is kept.
        GeogazeError: bad input, found before anything is written, or a failed job. Where the
            request was at fault it leaves nothing behind; else what was explained is kept.
    """
    started = time.monotonic()
    check_folder(out, Kind.RESULTS, overwrite=overwrite)
    plan = make_plan(request, settings, local=True)
    on_planned(plan)
    load_engine(plan.bundle, settings)  # missing weights show here
    with workspace(out, plan.content) as space, _kept_for_the_next(space):
        job = _Job(request, plan, settings, space, on_progress)
        if job.before:
            on_resumed(job.before, plan.tiles)
        try:
            status = job.finish()
            results = job.results
            assets = _collect(results["files"], job.storage, out)
        finally:
            job.close()
    return RunReport(
        job=status.id,
        plan=plan,
        tiles=plan.tiles,
        reused=job.before,
        seconds=time.monotonic() - started,
        assets=assets,
        skipped=results["skipped"],
    )


@contextmanager
def _kept_for_the_next(space: Workspace) -> Iterator[None]:
    """Keep the work where a run ends early and another may go on, and say so."""
    try:
        yield
    except BaseException as error:
        known = _as_ours(error)
        refused = isinstance(known, GeogazeError) and 400 <= known.status < 500
        space.kept = space.holds_parts and not refused
        if not isinstance(known, GeogazeError):
            raise  # a fault of the code
        if known is error and not space.kept:
            raise
        kept = f"is kept in {space.folder}; the same command goes on from it."
        what = f"What was explained {kept}" if space.kept else "Nothing was kept."
        raise type(known)(f"{known} {what}".strip()) from error


def _as_ours(error: BaseException) -> BaseException:
    """What ended a run, as an error that says what to do if there is one."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("")
    if isinstance(error, SQLAlchemyError):
        cause = getattr(error, "orig", None) or error
        return DatabaseUnavailable(f"The run's own ledger failed ({cause}). Is the disk full?")
    if isinstance(error, OSError):
        return ScratchUnusable(f"{error}. See to the disk.")
    return error


class _Job:
    """A run's job in its own ledger: begun, or found there as an earlier run left it."""

    def __init__(
        self,
        request: ExplainRequest,
        plan: Plan,
        settings: Settings,
        space: Workspace,
        on_progress: OnProgress,
    ) -> None:
        here = settings.model_copy(
            update={
                "database_url": f"sqlite:///{space.folder / 'ledger.db'}",
                "storage": str(space.objects),
            }
        )
        self._settings = here
        self._progress = _Progress(on_progress)
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
        ledger, job_id, progress = self._ledger, self._id, self._progress
        progress.show(ledger.status(job_id))
        lanes = Lanes(
            self._worker,
            self._settings.lanes,
            on_settled=lambda: progress.show(ledger.status(job_id)),
        )
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


def _found(ledger: Ledger, request: ExplainRequest) -> UUID | None:
    """The job of the same request that an earlier run left."""
    asked = asked_for(request)
    jobs = ledger.jobs(limit=1000, states=set(JobState) - {JobState.DISMISSED})
    return next((job.id for job in jobs if ledger.request(job.id) == asked), None)


class _Progress:
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


def _collect(files: dict[str, Any], storage: FolderStorage, out: Path) -> dict[str, Path]:
    """Move the products out of the workspace, in the place of an earlier run's.

    Those that are there already, an interrupted run has moved.
    """
    former = former_products(out)
    assets = {}
    for name, asset in files.items():
        made_file, target = storage.path(asset["key"]), out / asset["file"]
        if made_file.exists():
            made_file.replace(target)
        assets[name] = target
    for stale in former - set(assets.values()):
        stale.unlink(missing_ok=True)
    return assets
