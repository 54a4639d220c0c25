"""Telling jobs' subscribers of their states: signed, at least once, from the ledger's outbox."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import httpx
import structlog

from api.dependencies import Services
from api.documents import status_info
from api.figures import Figures
from api.results import result_links
from geogaze.config import Settings
from geogaze.ledger.deliveries import Deliveries, Due
from geogaze.ledger.retries import Backoff

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_SECONDS = 10.0
_HOLD_SECONDS = 30.0  # longer than a delivery takes, so that no other process repeats it
_AT_ONCE = 64
_EACH = 8  # of them to one address, so that whoever is slow keeps nobody else waiting
_LAST_SECONDS = 2.0


class Callbacks:
    """Empties the outbox, on the event loop that serves requests.

    Args:
        services: the process's ledger, storage and settings.
        on_sent: told of each try to deliver, whether it was taken.
        seconds: that a delivery may take altogether.
        at_once: deliveries under way together, and ``each`` of them to one address.
    """

    def __init__(
        self,
        services: Services,
        *,
        on_sent: Callable[[bool], None] = lambda taken: None,
        seconds: float = _SECONDS,
        at_once: int = _AT_ONCE,
        each: int = _EACH,
    ) -> None:
        self._services, self._on_sent = services, on_sent
        self._deliveries = Deliveries(services.ledger.database, _backoff(services.settings))
        self._seconds, self._at_once, self._each = seconds, at_once, each
        self._tls = httpx.create_ssl_context(trust_env=False)

    async def run(self) -> None:
        """Send what is due until cancelled; what is on its way then gets a moment to arrive."""
        under_way: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                due = await self._take(under_way.values())
                if due is not None:
                    task = asyncio.create_task(self._send(due))
                    under_way[task] = _origin(due.uri)
                    task.add_done_callback(under_way.pop)
                elif under_way:  # one that ends makes room
                    await asyncio.wait(
                        under_way, timeout=_PAUSE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                else:
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            if under_way:
                await asyncio.wait(under_way, timeout=_LAST_SECONDS)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _take(self, under_way: Collection[str]) -> Due | None:
        if len(under_way) >= self._at_once:
            return None
        busy = [origin for origin, count in Counter(under_way).items() if count >= self._each]
        try:
            return await asyncio.to_thread(
                self._deliveries.take,
                hold_seconds=_HOLD_SECONDS,
                max_attempts=self._services.settings.callback_attempts,
                besides=busy,
            )
        except Exception as error:  # whatever ails the database, it may be back the next time
            log.warning("outbox not read", error=str(error))
            return None

    async def _send(self, due: Due) -> None:
        try:
            try:
                # One limit for all of it: a byte now and then keeps httpx's own from running out.
                async with asyncio.timeout(self._seconds):
                    await self._post(due)
            except Exception as error:  # whatever it was, it is tried again
                reason = str(error) or type(error).__name__
                self._on_sent(False)
                log.warning("subscriber not told", job=str(due.job_id), uri=due.uri, error=reason)
                await asyncio.to_thread(self._deliveries.failed, due, reason)
            else:
                self._on_sent(True)
                await asyncio.to_thread(self._deliveries.delivered, due)
        except Exception as error:  # it comes again when it is held no longer
            log.warning("delivery not noted", job=str(due.job_id), error=str(error))

    async def _post(self, due: Due) -> None:
        body, headers = await asyncio.to_thread(self._message, due)
        # Redirects may lead anywhere, proxies of the environment too.
        client = httpx.AsyncClient(
            timeout=self._seconds, follow_redirects=False, trust_env=False, verify=self._tls
        )
        # What it answers is not read: it may be long, or never end.
        async with (
            client,
            client.stream("POST", due.uri, content=body, headers=headers) as answer,
        ):
            answer.raise_for_status()

    def _message(self, due: Due) -> tuple[bytes, dict[str, str]]:
        """Body and headers: who it is from.

        The signature covers the time, so that old messages can be refused.
        """
        body = json.dumps(self._document(due), default=str).encode()
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
        return body, headers

    def _document(self, due: Due) -> dict[str, Any]:
        """The results of a job that succeeded, else its status."""
        if due.event == "success":
            return result_links(self._services, due.job_id, due.base)
        known = self._services.ledger.status(due.job_id)
        status = status_info(known, due.base, self._services.settings)
        return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _origin(uri: str) -> str:
    """Scheme and host of an address, as it is written: ``https://host:port/``."""
    return "/".join(uri.split("/", 3)[:3]) + "/"


@asynccontextmanager
async def calling(services: Services, figures: Figures) -> AsyncIterator[None]:
    """Tell subscribers meanwhile."""
    calls = Callbacks(services, on_sent=figures.callback_sent)
    task = asyncio.create_task(calls.run(), name="callbacks")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _backoff(settings: Settings) -> Backoff:
    return Backoff(settings.callback_backoff_seconds, settings.callback_backoff_cap_seconds)
