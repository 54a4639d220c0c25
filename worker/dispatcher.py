"""Feeding the workers: due units become messages, and lost units become due again."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from uuid import UUID

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError as DatabaseError

from geogaze.config import Settings, get_settings
from geogaze.ledger.database import connect
from geogaze.ledger.store import Ledger
from geogaze.logs import configure_logging
from worker.app import QUEUE, make_app

log = structlog.get_logger()


class Dispatcher:
    """Keeps a few units in the broker, so that no job waits behind another's million tiles."""

    def __init__(self, settings: Settings, ledger: Ledger, celery: Celery) -> None:
        self._settings = settings
        self._ledger = ledger
        self._celery = celery

    def round(self) -> int:
        """Free what was lost, dispatch what is due; the number of messages sent."""
        freed = self._ledger.sweep(
            redeliver_seconds=self._settings.redeliver_seconds,
            max_attempts=self._settings.max_attempts,
        )
        if freed:
            log.warning("units freed", units=freed)
        units = self._ledger.dispatch(self._settings.max_in_flight)
        for unit in units:
            self._send(unit)
        return len(units)

    def _send(self, unit: UUID) -> None:
        # A message that gets lost here is sent again after redeliver_seconds.
        self._celery.send_task("geogaze.run_unit", args=[str(unit)], queue=QUEUE, retry=False)

    def run(self, stop: threading.Event) -> None:
        """Go round until told to stop; outages of the broker and the database are waited out."""
        while not stop.is_set():
            try:
                sent = self.round()
            except (BrokerError, DatabaseError) as error:
                log.warning("round failed", error=str(error))
                sent = 0
            stop.wait(0 if sent else self._settings.dispatch_interval)


def main() -> None:
    """Run the dispatcher until SIGTERM or SIGINT."""
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    engine = connect(settings.database_url)
    log.info("dispatcher ready")
    Dispatcher(settings, Ledger(engine), make_app(settings)).run(stop)
    engine.dispose()
