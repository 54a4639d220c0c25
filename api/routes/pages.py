"""The service as a page for people: the same addresses as its documents, for browsers.

Its scripts and styles are files in ``api/page``, sent as they are; no other host is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers, QueryParams
from starlette.routing import Match
from starlette.types import Scope
from typing_extensions import override

from geogaze.products.page.assembling import look

PAGE = Path(__file__).parent.parent / "page"
_ONLY_OURS = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_AGAIN = {"Cache-Control": "no-cache"}
_HEADERS = {
    **_AGAIN,
    "Content-Security-Policy": _ONLY_OURS,
    "Referrer-Policy": "same-origin",  # a job's address is nobody else's business
    "Vary": "Accept",
}


def prefers_html(headers: Headers, query: QueryParams) -> bool:
    """Whether a page is wanted rather than a document: said by ``f``, else by ``Accept``.

    HTML must be named, and wanted more than JSON: what takes anything gets the document.
    """
    if "f" in query:
        return query["f"] == "html"
    wanted = [_weighed(part) for part in headers.get("accept", "").split(",")]
    html = max((weight for name, weight in wanted if name == "text/html"), default=0.0)
    json = max(
        (weight for name, weight in wanted if name == "application/json"),
        default=max((weight for name, weight in wanted if name == "*/*"), default=0.0),
    )
    return html > json


def _weighed(part: str) -> tuple[str, float]:
    """A media type of ``Accept`` and its weight, 0 to 1."""
    name, *parameters = (piece.strip() for piece in part.lower().split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


class _ForPeople(APIRoute):
    """A route that is there for browsers alone; others find the next of its path."""

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        asks = scope["type"] == "http" and scope["method"] == "GET"
        if asks and prefers_html(Headers(scope=scope), QueryParams(scope["query_string"])):
            return super().matches(scope)
        return Match.NONE, {}


router = APIRouter(route_class=_ForPeople, include_in_schema=False)


@router.get("/")
def jobs() -> HTMLResponse:
    """Jobs, and a form for a new one."""
    return _page("")


@router.get("/jobs/{job}")
def job(job: str) -> HTMLResponse:
    """A job. Whether there is one, and whose, shows when the page asks for it."""
    return _page("../")


def install(app: FastAPI) -> None:
    """Give an application the page's scripts and styles."""
    app.add_route("/page/look.css", _look, include_in_schema=False)
    app.mount("/page", _Files(directory=PAGE), name="page")


def _page(root: str) -> HTMLResponse:
    """The page at an address from which ``root`` leads to the API's."""
    shell = (PAGE / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(shell.replace("{{root}}", root), headers=_HEADERS)


def _look(request: Request) -> Response:
    return Response(look(), media_type="text/css", headers=_AGAIN)


class _Files(StaticFiles):
    """Files that are asked for again each time, so that a new release shows at once."""

    @override
    def file_response(self, *args: Any, **options: Any) -> Response:
        answer = super().file_response(*args, **options)
        answer.headers.update(_AGAIN)
        return answer
