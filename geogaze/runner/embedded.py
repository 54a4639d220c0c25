"""The whole way of a job in this process: SQLite for the ledger, a folder for the objects.

The planner, the ledger, the units and the products are those of the distributed system; only the
loop that hands out units is different.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from geogaze.config import Settings
from geogaze.errors import GeogazeError, InvalidRequest, JobFailed
from geogaze.explain.engine import load_engine
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.outputs import Kind, check_folder, former_products
from geogaze.planning.plan import Plan, make_plan
from geogaze.planning.request import ExplainRequest
from geogaze.planning.submit import submit
from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Worker
from geogaze.storage import FolderStorage

_POLL_SECONDS = 5.0  # units that end wake the loop; this is for a clock that went wrong

OnProgress = Callable[[JobStatus, int], None]
"""Gets the job's status and the tiles done since it was taken."""


@dataclass(frozen=True)
class RunReport:
    """What an embedded run made. ``assets`` maps names to files."""

    job: UUID
    plan: Plan
    tiles: int
    seconds: float
    assets: dict[str, Path]
    skipped: list[dict[str, Any]]

    @property
    def tiles_per_second(self) -> float:
        """Tiles over the wall time of the whole job, products included."""
        return self.tiles / self.seconds


def run(
    request: ExplainRequest,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    on_progress: OnProgress = lambda status, tiles: None,
) -> RunReport:
    """Explain a scene and put the products into a folder.

    Args:
        request: what to do; its scene may be any local file, its model any bundle folder.
        out: the folder for the products.
        settings: device, batch size and the like; where the ledger and objects live is not taken
            from them.
        overwrite: whether ``out`` may be in use; an earlier run's products there are replaced.
        on_progress: called after every batch of tiles and every unit.

    Raises:
        GeogazeError: bad input, found before anything is written, or a failed job, which leaves
            nothing behind either.
    """
    started = time.monotonic()
    check_folder(out, Kind.RESULTS, overwrite=overwrite)
    plan = make_plan(request, settings, local=True)
    load_engine(plan.bundle, settings)  # missing weights show here
    made_folder = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be made a folder for the products: {error}") from error
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".geogaze-") as workspace:
            status, made, storage = _run_units(
                request, plan, settings, Path(workspace), on_progress
            )
            assets = _collect(made["files"], storage, out)
    except BaseException:
        if made_folder:
            shutil.rmtree(out, ignore_errors=True)
        raise
    return RunReport(
        job=status.id,
        plan=plan,
        tiles=plan.tiles,
        seconds=time.monotonic() - started,
        assets=assets,
        skipped=made["skipped"],
    )


def _run_units(
    request: ExplainRequest,
    plan: Plan,
    settings: Settings,
    workspace: Path,
    on_progress: OnProgress,
) -> tuple[JobStatus, dict[str, Any], FolderStorage]:
    here = settings.model_copy(
        update={
            "database_url": f"sqlite:///{workspace / 'ledger.db'}",
            "storage": str(workspace / "objects"),
        }
    )
    progress = _Progress(on_progress)
    worker = Worker.from_settings(here, on_tiles=progress.add)
    ledger = worker.bench.ledger
    queue = Queue(ledger.engine)
    ledger.create_tables()
    job_id = submit(ledger, request, plan)
    lanes = Lanes(worker, settings.lanes, on_settled=lambda: progress.show(ledger.status(job_id)))
    try:
        progress.show(ledger.status(job_id))
        while (status := ledger.status(job_id)).state in OPEN_JOB:
            ended = lanes.ended
            messages = queue.dispatch(1)
            for message in messages:
                lanes.take(message.unit)
            if not messages:
                patience = _POLL_SECONDS if lanes.busy else queue.next_due_in() or 0.01
                lanes.settle(ended, patience)
        lanes.settle(0, 0)
    finally:
        lanes.close()
        ledger.engine.dispose()
    if status.state is not JobState.SUCCESSFUL:
        raise _failure(status)
    storage = worker.bench.storage
    assert isinstance(storage, FolderStorage)
    return status, ledger.assets(job_id) or {}, storage


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
            if self._status is None or status.tiles_done >= self._status.tiles_done:
                self._status = status
            self._tell(self._status, sum(self._since.values()))


def _failure(status: JobStatus) -> GeogazeError:
    problem = status.problem or {}
    for kind in _subclasses(GeogazeError):
        if kind.slug == problem.get("slug"):
            return kind(status.message)
    return JobFailed(status.message)


def _subclasses(kind: type[GeogazeError]) -> list[type[GeogazeError]]:
    return [kind, *(below for k in kind.__subclasses__() for below in _subclasses(k))]


def _collect(files: dict[str, Any], storage: FolderStorage, out: Path) -> dict[str, Path]:
    """Move the products out of the workspace, in the place of an earlier run's."""
    former = former_products(out)
    assets = {}
    for name, made in files.items():
        target = out / made["file"]
        storage.path(made["key"]).replace(target)
        assets[name] = target
    for stale in former - set(assets.values()):
        stale.unlink(missing_ok=True)
    return assets
