"""Errors as RFC 7807 problem documents with the standard's type URIs."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from geogaze.errors import DatabaseUnavailable, GeogazeError, InvalidRequest

log = structlog.get_logger()

_OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
_OGC_SLUGS = frozenset({"no-such-process", "no-such-job", "result-not-ready"})


def problem_type(slug: str) -> str:
    """The type URI of a problem."""
    return f"{_OGC}{slug}" if slug in _OGC_SLUGS else f"urn:geogaze:problem:{slug}"


def problem(status: int, slug: str, title: str, detail: str) -> JSONResponse:
    """A problem document."""
    document = {"type": problem_type(slug), "title": title, "status": status, "detail": detail}
    return JSONResponse(document, status, media_type="application/problem+json")


def describe(error: GeogazeError) -> JSONResponse:
    """An expected error as problem document."""
    return problem(error.status, error.slug, error.title, str(error))


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
        return problem(error.status_code, "http", str(error.detail), f"{request.url.path}")

    @app.exception_handler(OperationalError)
    def _database(request: Request, error: OperationalError) -> JSONResponse:
        log.error("database failed", error=str(error))
        return describe(
            DatabaseUnavailable(
                "The ledger cannot be used; try again soon. (Operators: does it run, and was "
                "'alembic upgrade head' run on it?)"
            )
        )

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request broke", path=request.url.path, exc_info=error)
        return problem(500, "internal-error", "The server broke", "See the server's log.")


def _line(detail: dict[str, Any]) -> str:
    if detail["type"] == "json_invalid":
        return f"The body is not valid JSON: {detail.get('ctx', {}).get('error', '')}"
    if detail["loc"] == ("body",):
        return f"body: {detail['msg']} (send it with Content-Type: application/json)"
    place = ".".join(str(step) for step in detail["loc"] if step != "body") or "body"
    return f"{place}: {detail['msg']}"
