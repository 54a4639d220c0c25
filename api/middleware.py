"""What happens to every request around its route: a name, a line in the log, limits, a prefix."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import Admitted
from api.door import Door, claimed_tenant
from api.figures import Figures
from api.problems import describe_bug, describe_http
from api.proxies import Forwarded, came_by_proxy
from api.rates import Rates
from geogaze.config import Settings
from geogaze.uploads import longest_part

log = structlog.get_logger()

_PART = re.compile(r"/uploads/[^/]+/parts/\d+$", re.ASCII)
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
REQUEST_NAME = "geogaze.request"
"""In the scope: what logs call the request."""
ASKED_HEAD = "geogaze.asked_head"
"""In the scope of a GET of which only the head is sent."""
_SAFER = {
    "X-Content-Type-Options": "nosniff",  # a product is what it says, never a script
    "Referrer-Policy": "same-origin",  # a job's address is nobody else's business
    "X-Frame-Options": "SAMEORIGIN",  # the page shows a job's own in a frame
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of every answer that does not say otherwise."""
_EXPOSED = [
    *("Location", "Preference-Applied", "Retry-After", "X-Request-Id"),
    *("RateLimit", "RateLimit-Policy", "WWW-Authenticate"),
    *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag"),  # for readers of COGs
    *("Content-Crs", "Link"),  # and of features
]


class Logged:
    """Names each request, logs it with how it ended, and answers for what broke."""

    def __init__(self, app: ASGIApp, settings: Settings, figures: Figures) -> None:
        self._app, self._settings, self._figures = app, settings, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope[REQUEST_NAME] = name
        secure = _tls_alone(scope, self._settings)
        status: int | None = None
        began: float | None = None

        async def answer(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], time.perf_counter()
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = name
                for header, value in _SAFER.items():
                    headers.setdefault(header, value)
                if secure:
                    headers["Strict-Transport-Security"] = secure
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(
            request=name, tenant=claimed_tenant(scope, self._settings), caller=None
        ):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.exception("request broke", path=scope["path"][:200])
                if status is not None:
                    raise  # half an answer: the server hangs up
                await describe_bug()(scope, receive, answer)
            finally:
                ended, route = time.perf_counter(), getattr(scope.get("route"), "path", None)
                self._figures.answered(scope["method"], route, status, (began or ended) - started)
                tell = (
                    log.debug if route in {"/health", "/livez", "/metrics", "/readyz"} else log.info
                )
                tell(
                    "request",
                    method=scope["method"],
                    route=route,
                    path=scope["path"][:200],
                    status=status,
                    seconds=round(ended - started, 4),
                )


def _tls_alone(scope: Scope, settings: Settings) -> str | None:
    """The header by which browsers come by TLS alone from now on; None where there is none.

    A proxy that says by which scheme it was asked is believed, else the public address is.
    """
    told = Headers(scope=scope).get("x-forwarded-proto") if came_by_proxy(scope) else None
    public = (settings.public_url or "").partition(":")[0]
    by_tls = scope["scheme"] == "https" or (told is None and public == "https")
    if not by_tls or not settings.hsts_seconds:
        return None
    return f"max-age={settings.hsts_seconds}"


class Limited:
    """Refuses bodies that are too long, and addresses that no database can be asked for.

    Args:
        longest: a body, in bytes.
        part: a body that is a part of an upload; it is not parsed, but kept as it is.
    """

    def __init__(self, app: ASGIApp, longest: int, part: int) -> None:
        self._app, self._longest, self._part = app, longest, part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        longest = self._part if _PART.search(scope["path"]) else self._longest
        declared = Headers(scope=scope).get("content-length", "0")
        if b"\0" in unquote_to_bytes(scope["query_string"]):
            refusal = HTTPException(HTTPStatus.BAD_REQUEST, "The query has a null character.")
        elif declared.isdecimal() and int(declared[:20]) > longest:
            refusal = _too_long(longest)
        else:
            await self._app(scope, _counted(receive, longest), send)
            return
        await describe_http(refusal, scope["path"])(scope, receive, send)


def _counted(receive: Receive, longest: int) -> Receive:
    came = 0

    async def counted() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > longest:
            raise _too_long(longest)
        return message

    return counted


def _too_long(longest: int) -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is longer than {longest} bytes (GEOGAZE_MAX_BODY_BYTES, or of a part of an "
        "upload GEOGAZE_UPLOAD_PART_BYTES).",
    )


class Headed:
    """Answers HEAD wherever there is a GET: its head alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def head(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        got = {**scope, "method": "GET", ASKED_HEAD: True}  # the server goes by its own scope
        await self._app(got, receive, head)
        scope["route"] = got.get("route")


def install(app: FastAPI, settings: Settings, door: Door, figures: Figures) -> None:
    """Put all of it around an application."""
    app.add_middleware(Admitted, routes=app, door=door, rates=Rates(settings))
    app.add_middleware(Headed)
    app.add_middleware(Limited, longest=settings.max_body_bytes, part=longest_part(settings))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Logged, settings=settings, figures=figures)
    app.add_middleware(Forwarded, trusted=settings.trusted_proxies)  # the last is the outermost
