"""Errors as RFC 7807 problem documents with the standard's type URIs."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from geogaze.errors import DatabaseUnavailable, GeogazeError, InvalidRequest
from geogaze.ledger.database import DATABASE_AWAY

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
_OGC_SLUGS = frozenset({"no-such-process", "no-such-job", "result-not-ready"})
_LONGEST = 2000
_RETRY_SECONDS = "5"


class Problem(BaseModel):
    """What went wrong (RFC 7807)."""

    type: str
    title: str
    status: int
    detail: str


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of a route for its OpenAPI description: these problems, and those of any route."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({400, 500, 503, *statuses})
    }


def problem_type(slug: str) -> str:
    """The type URI of a problem."""
    return f"{_OGC}{slug}" if slug in _OGC_SLUGS else f"urn:geogaze:problem:{slug}"


def problem(
    status: int, slug: str, title: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document. What it quotes of a request is cut to a length that can be read."""
    detail = detail if len(detail) <= _LONGEST else f"{detail[:_LONGEST]} …"
    document = Problem(
        type=problem_type(slug),
        title=title,
        status=status,
        detail=detail.encode(errors="replace").decode(),  # half characters are not UTF-8
    )
    headers = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_SECONDS
    return JSONResponse(document.model_dump(), status, headers, media_type=MEDIA_TYPE)


def describe(error: GeogazeError) -> JSONResponse:
    """An expected error as problem document."""
    headers = dict(getattr(error, "headers", {}))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="geogaze"'
    if (seconds := getattr(error, "seconds", None)) is not None:
        headers["Retry-After"] = str(ceil(seconds))
    return problem(error.status, error.slug, error.title, str(error), headers)


def describe_away(error: Exception) -> JSONResponse:
    """A database that cannot be asked, as problem document."""
    log.error("database failed", error=str(error))
    return describe(
        DatabaseUnavailable(
            "The ledger cannot be used; try again soon. (Operators: does it run, and was "
            "'alembic upgrade head' run on it?)"
        )
    )


def describe_http(error: HTTPException, path: str) -> JSONResponse:
    """What the framework refused, as problem document."""
    title = HTTPStatus(error.status_code).phrase
    detail = path if error.detail == title else str(error.detail)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, "http", title, detail, headers)


def describe_bug() -> JSONResponse:
    """What nobody expected; the log has more."""
    return problem(500, "internal-error", "The server broke", "See the server's log.")


def install(app: FastAPI) -> None:
    """Give every error of the application its document."""

    @app.exception_handler(GeogazeError)
    def _expected(request: Request, error: GeogazeError) -> JSONResponse:
        return describe(error)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return describe(InvalidRequest("; ".join(_line(detail) for detail in error.errors())))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # The framework names the methods of the first route that has this path.
            error.headers = {"Allow": ", ".join(_methods(request))}
        return describe_http(error, request.url.path)

    def _database(request: Request, error: Exception) -> JSONResponse:
        return describe_away(error)

    for kind in DATABASE_AWAY:
        app.exception_handler(kind)(_database)


def _methods(request: Request) -> list[str]:
    """What a path takes, over all of its routes."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if any(
            route.matches({**request.scope, "method": "GET" if method == "HEAD" else method})[0]
            is Match.FULL
            for route in request.app.routes
        )
    ]


def _line(detail: dict[str, Any]) -> str:
    if detail["type"] == "json_invalid":
        return f"The body is not valid JSON: {detail.get('ctx', {}).get('error', '')}"
    if detail["loc"] == ("body",):
        if detail["type"] == "value_error":
            return str(detail["ctx"]["error"])
        return f"body: {detail['msg']} (send it with Content-Type: application/json)"
    place = ".".join(str(step)[:80] for step in detail["loc"] if step != "body") or "body"
    return f"{place}: {detail['msg']}"
