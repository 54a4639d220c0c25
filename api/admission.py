"""Every request at the door: who asks, whether they may, how often, and what of it is put down."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog
from fastapi.concurrency import run_in_threadpool
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Caller, Need, NotAllowed, admit, is_safe, need_at
from api.door import Door
from api.problems import describe, describe_away
from api.rates import Rates
from geogaze.errors import GeogazeError
from geogaze.ledger.database import DATABASE_AWAY

log = structlog.get_logger()


class Admitted:
    """Lets requests in that may be made. What no route says otherwise of needs a caller.

    It stands before the routes, so that no body is read of whom nobody knows.
    """

    def __init__(self, app: ASGIApp, *, routes: Starlette, door: Door, rates: Rates) -> None:
        self._app, self._routes, self._door, self._rates = app, routes, door, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        need = need_at(self._routes, scope)
        seen_by_all = need is Need.ADMIN and not self._door.knows_operators and is_safe(scope)
        if need is Need.NOTHING or seen_by_all:
            await self._app(scope, receive, send)
            return
        if need is Need.IF_KNOWN:
            with suppress(GeogazeError, *DATABASE_AWAY):
                caller = await run_in_threadpool(self._door.caller, scope)
                if Need.READ.value in caller.scopes:
                    admit(scope, caller)
            await self._app(scope, receive, send)
            return
        try:
            caller = await run_in_threadpool(self._door.caller, scope)
            structlog.contextvars.bind_contextvars(tenant=caller.tenant, caller=caller.name)
            if need.value not in caller.scopes:
                raise NotAllowed(f"{caller.name} may {_may(caller)}, and this needs '{need}'.")
            counts = {"changes": need is Need.SUBMIT}
            limits = await run_in_threadpool(self._rates.count, caller.tenant, **counts)
        except GeogazeError as error:
            _put_down(scope, error.status, refused=error.slug)
            await describe(error)(scope, receive, send)
            return
        except DATABASE_AWAY as error:
            await describe_away(error)(scope, receive, send)
            return
        admit(scope, caller)
        await self._app(scope, receive, _telling(scope, send, need, limits))


def _telling(scope: Scope, send: Send, need: Need, limits: dict[str, str]) -> Send:
    """Send on, with the headers of limits, and put down what was changed once that is answered."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(limits)
            if need is not Need.READ:
                job = headers.get("location", "").rpartition("/jobs/")[2]
                _put_down(scope, message["status"], **({"job": job} if job else {}))
        await send(message)

    return tell


def _put_down(scope: Scope, status: int, **more: Any) -> None:
    """A line of the audit log: who (in the context), what, and how it ended; no secrets."""
    parameters = scope.get("path_params", {})
    log.info(
        "audit",
        channel="audit",
        method=scope["method"],
        path=scope["path"][:200],
        client=(scope.get("client") or ("",))[0],
        status=status,
        **{name: value for name, value in parameters.items() if name in {"job", "process"}},
        **more,
    )


def _may(caller: Caller) -> str:
    return " and ".join(sorted(caller.scopes)) or "do nothing"
