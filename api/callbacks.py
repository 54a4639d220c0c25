"""Telling jobs' subscribers of their states: signed, at least once, from the ledger's outbox."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.dependencies import Services
from api.documents import status_info
from api.jobs import result_links
from geogaze.ledger.deliveries import Deliveries, Due

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_SECONDS = 10.0
_HOLD_SECONDS = 30.0  # longer than a delivery takes, so that no other process repeats it


class Callbacks:
    """Empties the outbox."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._deliveries = Deliveries(services.ledger.engine)
        # Redirects may lead anywhere, proxies of the environment too.
        self._http = httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False)

    def send_one(self) -> bool:
        """Send a message that is due. False if there was none."""
        attempts = self._services.settings.callback_attempts
        due = self._deliveries.take(hold_seconds=_HOLD_SECONDS, max_attempts=attempts)
        if due is None:
            return False
        try:
            body = json.dumps(self._document(due), default=str).encode()
            headers = self._headers(due, body)
            # What it answers is not read: it may be long, or never end.
            with self._http.stream("POST", due.uri, content=body, headers=headers) as answer:
                answer.raise_for_status()
        except Exception as error:  # whatever it was, the others are to be told nonetheless
            self._deliveries.failed(due, str(error))
            log.warning("subscriber not told", job=str(due.job_id), uri=due.uri, error=str(error))
        else:
            self._deliveries.delivered(due)
        return True

    def _document(self, due: Due) -> dict[str, Any]:
        """The results of a job that succeeded, else its status."""
        if due.event == "success":
            return result_links(self._services, due.job_id)
        status = status_info(self._services.ledger.status(due.job_id), due.base)
        return status.model_dump(mode="json", exclude_none=True)

    def _headers(self, due: Due, body: bytes) -> dict[str, str]:
        """Who it is from. The signature covers the time, so that old messages can be refused."""
        headers = {
            "Content-Type": "application/json",
            "Geogaze-Job": str(due.job_id),
            "Geogaze-Event": due.event,
            "Geogaze-Delivery": str(due.id),
        }
        if secret := self._services.settings.callback_secret:
            moment = str(int(time.time()))
            signed = hmac.new(
                secret.get_secret_value().encode(), f"{moment}.".encode() + body, hashlib.sha256
            )
            headers["Geogaze-Signature"] = f"t={moment},v1={signed.hexdigest()}"
        return headers

    def run(self, stop: threading.Event) -> None:
        """Send what is due until told to stop."""
        while not stop.is_set():
            try:
                sent = self.send_one()
            except SQLAlchemyError as error:
                log.warning("outbox not read", error=str(error))
                sent = False
            if not sent:
                stop.wait(_PAUSE_SECONDS)


@contextmanager
def calling(services: Services) -> Iterator[None]:
    """Tell subscribers meanwhile."""
    stop = threading.Event()
    thread = threading.Thread(target=Callbacks(services).run, args=(stop,), name="callbacks")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
