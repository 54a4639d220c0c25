"""What a pool's child is: one worker that others have heard of, its lanes, and how it ends."""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib.util import find_spec

import structlog

from geogaze.config import get_settings
from geogaze.runner.lanes import Lanes
from geogaze.runner.watcher import UnitSpans, Watchers
from geogaze.runner.work import Worker
from geogaze.tracing import end_tracing, start_tracing
from worker.figures import UnitFigures, use_folder

log = structlog.get_logger()

_LEAVE_SECONDS = 20.0  # to end units in; Celery gives 30 altogether
_GRACE_SECONDS = 5.0  # … and to hand back the others, each after its batch


@cache
def this_worker() -> Worker:
    """The process's worker, which other processes have heard of."""
    if find_spec("torch"):  # methods that are missing show before any work
        from geogaze.evidence.methods import load_methods

        load_methods()
    settings = get_settings()
    use_folder()
    start_tracing("worker")
    worker = Worker.from_settings(settings, watcher=Watchers(UnitFigures(settings), UnitSpans()))
    worker.enlist()
    return worker


@cache
def these_lanes() -> Lanes:
    """The process's lanes, with its model kept loaded between units."""
    return Lanes(this_worker(), get_settings().lanes, on_broken=end_process)


def end_process(error: BaseException) -> None:
    """End a process that can do no unit any more: Celery starts another in its place.

    Were it to live on, every message that comes to it would be lost.
    """
    log.critical("worker process ends", exc_info=error)
    try:
        these_lanes().close(0, _GRACE_SECONDS)
        this_worker().leave()
        end_tracing()
    except Exception:  # then leases run out
        log.exception("worker leaves untold")
    finally:
        logging.shutdown()
        os._exit(os.EX_SOFTWARE)  # this is not the main thread, and that one may hang


def leave() -> None:
    """End units in hand where there is time, hand back the others, and say that we go."""
    these_lanes().close(_LEAVE_SECONDS, _GRACE_SECONDS)
    this_worker().leave()
    end_tracing()
