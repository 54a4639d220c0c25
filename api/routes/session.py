"""Signing in from a browser: a key in a cookie that scripts cannot read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from api.access import Need, caller_of, needs
from api.dependencies import base_url
from api.door import COOKIE, shown
from api.problems import documented

router = APIRouter(tags=["service"])


@router.get("/session", responses=documented(401, 403))
def session(request: Request) -> dict[str, Any]:
    """Who you are to this service, and what you may do."""
    caller = caller_of(request)
    return {"tenant": caller.tenant, "name": caller.name, "scopes": sorted(caller.scopes)}


@router.post("/session", status_code=204, responses=documented(401, 403))
@needs(Need.READ)
def sign_in(request: Request) -> Response:
    """Keep the key of the header `Authorization` in a cookie, for this browser's next requests."""
    answer = Response(status_code=204)
    if key := shown(request.headers):
        answer.set_cookie(COOKIE, key, **_cookie(request))
    return answer


@router.delete("/session", status_code=204, responses=documented())
@needs(Need.NOTHING)
def sign_out(request: Request) -> Response:
    """Forget the key again."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> Any:
    base = urlsplit(base_url(request))
    secure = base.scheme == "https"
    return {"path": base.path or "/", "secure": secure, "httponly": True, "samesite": "strict"}
