"""Celery's tasks: thin."""

from __future__ import annotations

import time
from uuid import UUID

from celery.exceptions import Reject

from worker import child
from worker.app import app

_REJECT_SECONDS = 1.0  # a broken process gives no message back sooner, or it would get it again


@app.task(name="geogaze.run_unit")
def run_unit(unit: str) -> None:
    """Start a unit of work, if it is still to be had, and return once a lane is free again.

    The message is done with then: the ledger's lease, not the broker, knows of the unit's end.

    Raises:
        Reject: this process is about to end; another gets the message.
    """
    key = UUID(unit)
    try:
        child.these_lanes().take(key)
    except BaseException as error:
        time.sleep(_REJECT_SECONDS)
        raise Reject(str(error), requeue=True) from error
