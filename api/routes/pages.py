"""The service as a page for people: the same addresses as its documents, for browsers.

Its scripts and styles are files in ``api/page``, and those that it shares with the pages of jobs;
they are sent as they are, and no other host is asked.
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

from api.access import Need, needs
from api.dependencies import base_url, job_id, seen_by
from api.documents import status_info
from api.routes.landing import landing_page
from api.written import AGAIN, HEADERS, prefers_html, written
from geogaze.errors import GeogazeError
from geogaze.products.page.assembling import LIBRARIES, SHARED

PAGE = Path(__file__).parent.parent / "page"


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
@needs(Need.IF_KNOWN)
def jobs(request: Request) -> HTMLResponse:
    """Jobs, and a form for a new one."""
    return _page("", landing_page(request, Response()))


@router.get("/jobs/{job}")
@needs(Need.IF_KNOWN)
def job(request: Request, job: str) -> HTMLResponse:
    """A job. Whether there is one, and whose, shows when the page asks for it."""
    return _page("../", _status(request, job))


def install(app: FastAPI) -> None:
    """Give an application the page's scripts and styles."""
    for path, folder in (("/shared", SHARED), ("/libraries", LIBRARIES), ("", PAGE)):
        files = needs(Need.NOTHING)(_Files(directory=folder))
        app.mount(f"/page{path}", files, name=f"page{path}")


def _status(request: Request, job: str) -> dict[str, Any] | None:
    """The document of a job, if whoever asks may see it."""
    try:
        services = seen_by(request)
        known = services.ledger.status(job_id(job))
    except GeogazeError:
        return None
    status = status_info(known, base_url(request), services.settings)
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _page(root: str, document: dict[str, Any] | None) -> HTMLResponse:
    """The page at an address from which ``root`` leads to the API's, with what the document of the
    same address says.
    """
    shell = (PAGE / "index.html").read_text(encoding="utf-8").replace("{{root}}", root)
    said = written(document) if document else ""
    return HTMLResponse(shell.replace("{{document}}", said), headers=HEADERS)


class _Files(StaticFiles):
    """Files that are asked for again each time, so that a new release shows at once."""

    @override
    def file_response(self, *args: Any, **options: Any) -> Response:
        answer = super().file_response(*args, **options)
        answer.headers.update(AGAIN)
        return answer
