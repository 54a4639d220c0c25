"""The Celery application.

A message is a hint, nothing more: it names a unit, and the ledger decides whether that unit is to
be had. So messages may be lost, doubled or late, and results go nowhere but the ledger.
"""

from __future__ import annotations

import logging
import os

import structlog
from celery import Celery
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
)

from geogaze.config import Settings, get_settings
from geogaze.ledger.queue import LEVELS
from geogaze.logs import configure_logging, forward_warnings
from geogaze.runner.names import name_children, new_name
from worker.broker import distrust_messages, verifying

QUEUE = "geogaze"

_CONNECT_SECONDS = 10
_SOFT_SHUTDOWN_SECONDS = 30.0
_START_SECONDS = 600.0

log = structlog.get_logger()


def make_app(settings: Settings) -> Celery:
    """Celery as it is run here; ``docs/decisions`` says why each setting is what it is."""
    distrust_messages()
    app = Celery("geogaze", broker=verifying(settings.broker_url), include=["worker.tasks"])
    app.conf.update(
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        # A message is acknowledged when another can be taken; until then, it may come again.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_concurrency=1,
        worker_pool="prefork",
        worker_pool_start_method="spawn",  # CUDA does not survive a fork
        # A child that starts imports torch and GDAL: seconds of CPU, minutes on a busy machine.
        # Celery would kill it after 4 s, and its successors, for ever.
        worker_proc_alive_timeout=_START_SECONDS,
        worker_soft_shutdown_timeout=_SOFT_SHUTDOWN_SECONDS,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a Redis that is full or read-only is one that is away
        broker_transport_options={
            "visibility_timeout": 3600,
            # Redelivery is looked for this often (seconds); defaults take over a minute.
            "unacked_restore_interval": 5,
            # Messages of jobs that have little in hand overtake those of jobs that have much.
            "queue_order_strategy": "priority",
            "priority_steps": list(range(LEVELS)),
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_keepalive": True,
        },
    )
    return app


app = make_app(get_settings())


@setup_logging.connect
def _keep_logging(**_: object) -> None:
    """In the parent and in its children; nothing of Celery's own is set up then."""
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    forward_warnings()


@celeryd_init.connect
def _name_children(**_: object) -> None:
    name_children()


@worker_process_init.connect
def _load_early(**_: object) -> None:
    """Pay for the imports of torch and GDAL before the first unit."""
    try:
        from worker import child

        child.these_lanes()
    except BaseException:
        # Celery would go on, and lose every message that comes to this process.
        log.critical("worker process does not start", exc_info=True)
        logging.shutdown()
        os._exit(os.EX_SOFTWARE)
    log.info("worker ready")


@worker_process_shutdown.connect
def _leave(**_: object) -> None:
    """Units in hand are finished where there is time, else handed back."""
    from worker import child

    child.leave()
    log.info("worker left")


def start_worker() -> None:
    """Run a Celery worker until it is told to stop."""
    from worker.figures import shown

    name = f"--hostname=geogaze-{new_name().split(':')[1]}@%h"  # a machine may have several
    _keep_logging()  # Celery warns of some things before it asks for it
    with shown(get_settings()):
        app.worker_main(
            [
                *("--quiet", "worker", name),  # no banner among the lines of the log
                *("--loglevel=warning", "--without-gossip", "--without-mingle"),
            ]
        )
