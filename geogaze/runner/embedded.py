"""The whole way of a job in this process: SQLite for the ledger, a folder for the objects.

The planner, the ledger, the units and the products are those of the distributed system; only the
loop that hands out units is different. A run that is interrupted, or that its machine fails, leaves
its ledger and parts in the folder of the products, and the same command goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from geogaze.config import Settings
from geogaze.errors import (
    DatabaseUnavailable,
    GeogazeError,
    Interrupted,
    ScratchUnusable,
)
from geogaze.outputs import SO_FAR, Kind, check_folder, former_products
from geogaze.processes.bill import Bill
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.pulse import OnProgress
from geogaze.runner.workspace import Workspace, workspace
from geogaze.storage import FolderStorage
from geogaze.timing import timed

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
    bill: Bill

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
    with timed("load"):
        # Only now: what was wrong in the request is told before what runs networks has loaded.
        from geogaze.evidence.engines import load_engine
        from geogaze.runner.local_job import LocalJob
        from geogaze.runner.phases.resources import resolve_bundle

        bundle = resolve_bundle(plan, settings)
        load_engine(bundle, settings, plan.method, plan.context)  # missing weights show here
    with workspace(out, plan.content) as space, _kept_for_the_next(space):
        job = LocalJob(request, plan, settings, space, on_progress, partial(_show, out))
        if job.before:
            on_resumed(job.before, plan.tiles)
        try:
            status = job.finish()
            results = job.results
            assets = _collect(results["files"], job.storage, out)
        finally:
            job.close()
            (out / SO_FAR).unlink(missing_ok=True)
    return RunReport(
        job=status.id,
        plan=plan,
        tiles=plan.tiles,
        reused=job.before,
        seconds=time.monotonic() - started,
        assets=assets,
        skipped=results["skipped"],
        bill=Bill.of(status.spent, status.size or 0, settings),
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


def _show(out: Path, picture: bytes) -> None:
    """Put the picture of all so far where it can be looked at, whole or not at all."""
    draft = out / f".{SO_FAR}"
    draft.write_bytes(picture)
    draft.replace(out / SO_FAR)


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
