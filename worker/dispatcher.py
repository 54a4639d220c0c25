"""Feeding the workers: due units become messages, and lost units become due again."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
from celery import Celery

from geogaze.config import Settings, get_settings
from geogaze.ledger.collection import Collection
from geogaze.ledger.database import DATABASE_AWAY, connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Message
from geogaze.ledger.retries import Patience
from geogaze.logs import configure_logging, forward_warnings
from geogaze.metrics.listening import listening
from geogaze.runner.names import new_name
from geogaze.storage import open_storage
from geogaze.tracing import end_tracing, start_tracing, tell_step
from worker.app import QUEUE, make_app
from worker.broker import BROKER_AWAY
from worker.rounds import RoundFigures
from worker.sweeper import Sweeper

log = structlog.get_logger()

_LEAD = "dispatcher"
_FEWEST_MESSAGES = 4  # when no worker has been heard of yet


class Dispatcher:
    """Keeps a few units in the broker, so that no job waits behind another's million tiles.

    Of several dispatchers one is at work; the others stand by until it has been silent a while.
    """

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        celery: Celery,
        figures: RoundFigures | None = None,
    ) -> None:
        self._settings = settings
        self._figures = figures or RoundFigures()
        self._queue = queue
        self._celery = celery
        self._name = new_name()
        self.leads = False

    def round(self) -> int:
        """Free what was lost, dispatch what is due; the number of messages sent."""
        settings = self._settings
        leads = self._queue.lead(_LEAD, self._name, settings.lead_seconds)
        if leads is not self.leads:
            self.leads = leads
            log.info("dispatcher leads" if leads else "dispatcher stands by", name=self._name)
        self._figures.leading(leads=leads)
        if not leads:
            return 0
        # An empty queue has lost what it is said to hold, or is about to have lost it to a worker.
        seconds = settings.redeliver_seconds if self._depth() else settings.lost_seconds
        freed = self._queue.sweep(redeliver_seconds=seconds, patience=Patience.of(settings))
        for one in freed:
            self._figures.taken_back(one)
            words = {"job": str(one.job), "phase": one.phase, "unit": one.position}
            if one.worker is None:
                log.warning("message lost", **words)
            else:
                log.warning("lease ran out", **words, worker=one.worker)
        wanted = round(self._queue.slots() * settings.messages_per_slot)
        messages = self._queue.dispatch(max(wanted, _FEWEST_MESSAGES))
        for message in messages:
            self._send(message)
        return len(messages)

    def _depth(self) -> int:
        with self._celery.connection_for_write() as connection:
            channel: Any = connection.default_channel
            depth: int = channel.queue_declare(QUEUE, durable=True).message_count
        self._figures.broker_has(depth)
        return depth

    def _send(self, message: Message) -> None:
        # A message that gets lost here is sent again after a while.
        self._celery.send_task(
            "geogaze.run_unit",
            args=[str(message.unit)],
            queue=QUEUE,
            priority=message.level,
            retry=False,
        )
        self._figures.handed_out()
        tell_step(message.job, "hand out", unit=str(message.unit))
        log.debug("unit handed out", job=str(message.job), unit_id=str(message.unit))

    def run(self, stop: threading.Event) -> None:
        """Go round until told to stop; outages of the broker and the database are waited out."""
        while not stop.is_set():
            try:
                self.round()
            except (*BROKER_AWAY, *DATABASE_AWAY) as error:
                self._figures.round_ended(done=False)
                log.warning("round failed", error=str(error))
            else:
                self._figures.round_ended(done=True)
            stop.wait(self._settings.dispatch_interval)
        if self.leads:
            with suppress(*DATABASE_AWAY):  # then the lead runs out
                self._queue.resign(_LEAD, self._name)


def main() -> None:
    """Run the dispatcher and its sweeper until SIGTERM or SIGINT."""
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)
    forward_warnings()
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    figures = RoundFigures()
    start_tracing("dispatcher")
    with listening(settings.metrics_listen, figures.registry):
        _serve(settings, figures, stop)


def _serve(settings: Settings, figures: RoundFigures, stop: threading.Event) -> None:
    engine = connect(settings.database_url)
    dispatcher = Dispatcher(settings, Queue(engine), make_app(settings), figures)
    sweeper = Sweeper(settings, Collection(engine), open_storage(settings), figures)
    sweeping = threading.Thread(
        target=sweeper.run, args=(stop, lambda: dispatcher.leads), name="sweeper"
    )
    sweeping.start()
    log.info("dispatcher ready")
    try:
        dispatcher.run(stop)
    finally:
        stop.set()
        sweeping.join()
        engine.dispose()
        end_tracing()
