"""Celery's tasks: thin."""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from uuid import UUID

import structlog
from celery.exceptions import Reject

from geogaze.config import get_settings
from geogaze.runner.lanes import Lanes
from geogaze.runner.work import Worker
from worker.app import app

log = structlog.get_logger()

_LEAVE_SECONDS = 20.0  # to end units in; Celery gives 30 altogether
_GRACE_SECONDS = 5.0  # … and to hand back the others, each after its batch
_REJECT_SECONDS = 1.0  # a broken process gives no message back sooner, or it would get it again


@cache
def this_worker() -> Worker:
    """The process's worker, which other processes have heard of."""
    worker = Worker.from_settings(get_settings())
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
    except Exception:  # then leases run out
        log.exception("worker leaves untold")
    finally:
        logging.shutdown()
        os._exit(os.EX_SOFTWARE)  # this is not the main thread, and that one may hang


def leave() -> None:
    """End units in hand where there is time, hand back the others, and say that we go."""
    these_lanes().close(_LEAVE_SECONDS, _GRACE_SECONDS)
    this_worker().leave()


@app.task(name="geogaze.run_unit")
def run_unit(unit: str) -> None:
    """Start a unit of work, if it is still to be had, and return once a lane is free again.

    The message is done with then: the ledger's lease, not the broker, knows of the unit's end.

    Raises:
        Reject: this process is about to end; another gets the message.
    """
    key = UUID(unit)
    try:
        these_lanes().take(key)
    except BaseException as error:
        time.sleep(_REJECT_SECONDS)
        raise Reject(str(error), requeue=True) from error
