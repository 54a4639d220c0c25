"""The whole way of a job in this process: SQLite for the ledger, a folder for the objects.

The planner, the ledger, the units and the products are those of the distributed system; only the
loop that hands out units is different.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from geogaze.config import Settings
from geogaze.errors import GeogazeError, InvalidRequest, JobFailed
from geogaze.explain.engine import load_engine
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import OPEN_JOB, JobState
from geogaze.planning.plan import Plan, make_plan
from geogaze.planning.request import ExplainRequest
from geogaze.planning.submit import submit
from geogaze.runner.work import Worker
from geogaze.storage import FolderStorage

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
    on_progress: OnProgress = lambda status, tiles: None,
) -> RunReport:
    """Explain a scene and put the products into a folder.

    Args:
        request: what to do; its scene may be any local file, its model any bundle folder.
        out: the folder for the products; files of an earlier run there are replaced.
        settings: device, batch size and the like; where the ledger and objects live is not taken
            from them.
        on_progress: called after every batch of tiles and every unit.

    Raises:
        GeogazeError: bad input, found before anything is written, or a failed job, which leaves
            nothing behind either.
    """
    started = time.monotonic()
    plan = make_plan(request, settings, local=True)
    load_engine(plan.bundle, settings)  # missing weights show here
    made_folder = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be made a folder for the products: {error}") from error
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".geogaze-") as workspace:
            status, storage = _run_units(request, plan, settings, Path(workspace), on_progress)
            assets = _collect(status, storage, out)
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
        skipped=(status.assets or {})["skipped"],
    )


def _run_units(
    request: ExplainRequest,
    plan: Plan,
    settings: Settings,
    workspace: Path,
    on_progress: OnProgress,
) -> tuple[JobStatus, FolderStorage]:
    here = settings.model_copy(
        update={
            "database_url": f"sqlite:///{workspace / 'ledger.db'}",
            "storage": str(workspace / "objects"),
        }
    )
    shown: dict[str, Any] = {}

    def on_tiles(tiles: int) -> None:
        shown["since"] += tiles
        on_progress(shown["status"], shown["since"])

    worker = Worker.from_settings(here, on_tiles=on_tiles)
    ledger = worker.bench.ledger
    ledger.create_tables()
    job_id = submit(ledger, request, plan)
    try:
        while (status := ledger.status(job_id)).state in OPEN_JOB:
            shown.update(status=status, since=0)
            on_progress(status, 0)
            units = ledger.dispatch(1)
            if not units:
                time.sleep(max(0.01, ledger.next_due_in() or 0))
            for unit in units:
                worker.run(unit)
        on_progress(status, 0)
    finally:
        ledger.engine.dispose()
    if status.state is not JobState.SUCCESSFUL:
        raise _failure(status)
    storage = worker.bench.storage
    assert isinstance(storage, FolderStorage)
    return status, storage


def _failure(status: JobStatus) -> GeogazeError:
    problem = status.problem or {}
    for kind in _subclasses(GeogazeError):
        if kind.slug == problem.get("slug"):
            return kind(status.message)
    return JobFailed(status.message)


def _subclasses(kind: type[GeogazeError]) -> list[type[GeogazeError]]:
    return [kind, *(below for k in kind.__subclasses__() for below in _subclasses(k))]


def _collect(status: JobStatus, storage: FolderStorage, out: Path) -> dict[str, Path]:
    """Move the products out of the workspace."""
    files = (status.assets or {})["files"]
    assets = {}
    for name, made in files.items():
        target = out / made["file"]
        storage.path(made["key"]).replace(target)
        assets[name] = target
    return assets
