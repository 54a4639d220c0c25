"""Documents for people: any JSON document of the service as a page, by content negotiation.

All that stands in a document stands on its page, and every link in it can be followed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from html import escape
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from typing_extensions import override

_ONLY_OURS = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_WRITTEN = frozenset(
    f"application/{kind}" for kind in ("json", "geo+json", "schema+json", "vnd.oai.openapi+json")
)
AGAIN = {"Cache-Control": "no-cache"}
HEADERS = {
    **AGAIN,
    "Content-Security-Policy": _ONLY_OURS,
    "Referrer-Policy": "same-origin",  # a job's address is nobody else's business
    "Vary": "Accept",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – geogaze</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}page/shared/look.css">
<link rel="stylesheet" href="{root}page/style.css">
<script src="{root}page/shared/theme.js"></script>
</head>
<body>
<header id="top"><a id="home" href="{root}.">geogaze</a>
<nav aria-label="Service"><a href="{root}docs">API</a></nav></header>
<main class="document"><h1>{title}</h1>
{document}
</main>
</body>
</html>
"""
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Negotiated(APIRoute):
    """A route whose JSON documents are pages for whoever prefers that."""

    @override
    def get_route_handler(self) -> _Handler:
        handler = super().get_route_handler()
        if self.methods != {"GET"}:
            return handler

        async def negotiated(request: Request) -> Response:
            answer = await handler(request)
            if answer.headers.get("content-type", "").partition(";")[0] not in _WRITTEN:
                return answer
            answer.headers["Vary"] = "Accept"
            if not prefers_html(request.headers, request.query_params):
                return answer
            path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
            page = _PAGE.format(
                title=escape(self.summary or self.name.replace("_", " ").capitalize()),
                root="../" * (path.count("/") - 1),
                document=written(json.loads(bytes(answer.body))),
            )
            return HTMLResponse(page, headers=HEADERS)

        return negotiated


def written(document: Any) -> str:
    """A JSON document as HTML: lists, terms with what they are, and links."""
    match document:
        case {"href": str(href)}:
            rest = {name: value for name, value in document.items() if name != "href"}
            title = str(document.get("title") or document.get("rel") or href)
            link = f'<a href="{escape(href)}">{escape(title)}</a>'
            return f"{link} {written(rest)}" if rest else link
        case dict():
            terms = (f"<dt>{escape(str(k))}</dt><dd>{written(v)}</dd>" for k, v in document.items())
            return f"<dl>{''.join(terms)}</dl>"
        case [_, *_] if _is_figures(document):  # coordinates
            return escape(json.dumps(document))
        case list():
            return f"<ul>{''.join(f'<li>{written(one)}</li>' for one in document)}</ul>"
        case str() if document.startswith(("http://", "https://")):
            return f'<a href="{escape(document)}">{escape(document)}</a>'
        case str():
            return escape(document)
    return escape(json.dumps(document))


def _is_figures(document: Any) -> bool:
    if isinstance(document, list):
        return all(map(_is_figures, document))
    return isinstance(document, int | float)


def prefers_html(headers: Headers, query: QueryParams) -> bool:
    """Whether a page is wanted rather than a document: said by ``f``, else by ``Accept``.

    HTML must be named, and wanted more than JSON: what takes anything gets the document.
    """
    if "f" in query:
        return query["f"] == "html"
    wanted = [_weighed(part) for part in headers.get("accept", "").split(",")]
    html = max((weight for name, weight in wanted if name == "text/html"), default=0.0)
    json_ = max(
        (weight for name, weight in wanted if name == "application/json"),
        default=max((weight for name, weight in wanted if name == "*/*"), default=0.0),
    )
    return html > json_


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
