"""The API's own description: OpenAPI 3.1, 3.0 for clients that know no other, and a page to read.

The standard's process descriptions speak the dialect of 3.0 too.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from api.access import Need, needs
from api.dependencies import base_url
from api.problems import Problem
from api.written import HEADERS

MEDIA_TYPE = "application/vnd.oai.openapi+json;version="
_PAGE = Path(__file__).parent / "swagger-ui"
_UNKNOWN_TO_30 = frozenset({"propertyNames", "webhooks", "jsonSchemaDialect"})

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
@needs(Need.NOTHING)
def openapi(request: Request) -> JSONResponse:
    """The description, as OpenAPI 3.1."""
    document = {**_document(request.app), "servers": [{"url": base_url(request)}]}
    return JSONResponse(document, media_type=f"{MEDIA_TYPE}3.1")


@router.get("/openapi-3.0.json")
@needs(Need.NOTHING)
def openapi_of_old(request: Request) -> JSONResponse:
    """The description, as OpenAPI 3.0."""
    document = dialect_30({**_document(request.app), "servers": [{"url": base_url(request)}]})
    del document["info"]["summary"]
    return JSONResponse({**document, "openapi": "3.0.3"}, media_type=f"{MEDIA_TYPE}3.0")


@router.get("/docs")
@needs(Need.NOTHING)
def page() -> HTMLResponse:
    """The description to read and to try, without any other host."""
    return HTMLResponse((_PAGE / "index.html").read_text(encoding="utf-8"), headers=HEADERS)


def install(app: FastAPI) -> None:
    """Describe an application that has all of its routes."""
    app.mount("/docs/ui", needs(Need.NOTHING)(StaticFiles(directory=_PAGE)), name="docs")
    app.include_router(router)


def service_30(
    app: FastAPI, prefix: str, address: str, varied: str, kinds: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """The description of the routes below a prefix, as those of a service of its own.

    Args:
        app: which has them.
        prefix: what their paths begin with, up to the parameters that ``address`` has filled in.
        address: of the service.
        varied: the path parameter that is written out …
        kinds: … its values, each with parameters that listing its items takes besides.
    """
    whole = _document(app)
    filled = {*re.findall(r"{(\w+)}", prefix), varied}
    paths: dict[str, Any] = {}
    for path, methods in whole["paths"].items():
        if not path.startswith(prefix):
            continue
        rest = path.removeprefix(prefix) or "/"
        for kind in kinds if f"{{{varied}}}" in rest else [""]:
            more = kinds[kind] if rest.endswith("/items") else []
            paths[rest.replace(f"{{{varied}}}", kind)] = {
                method: {
                    **operation,
                    "operationId": f"{operation['operationId']}{kind and f'_{kind}'}",
                    "parameters": [p for p in operation["parameters"] if p["name"] not in filled]
                    + more,
                }
                for method, operation in methods.items()
            }
    document = dialect_30(
        {
            "info": {"title": f"{app.title}: features", "version": app.version},
            "servers": [{"url": address}],
            "paths": paths,
            "components": {"schemas": {"Problem": whole["components"]["schemas"]["Problem"]}},
        }
    )
    return {"openapi": "3.0.3", **document}


@cache
def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    for item in document["paths"].values():
        for operation in item.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]  # what does not validate is a 400 here
        if "get" in item:
            item["head"] = _head_of(item["get"])
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    return document


def _head_of(get: dict[str, Any]) -> dict[str, Any]:
    answers = {
        status: {"description": answer["description"]}
        for status, answer in get["responses"].items()
    }
    return {
        **{key: get[key] for key in ("tags", "parameters") if key in get},
        "summary": f"{get['summary']}: head alone",
        "operationId": f"{get['operationId']}_head",
        "responses": answers,
    }


def dialect_30(schema: Any) -> Any:
    """JSON with schemas of OpenAPI 3.1 in it, as OpenAPI 3.0 would have them."""
    if isinstance(schema, list):
        return [dialect_30(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        match key, value:
            case ("properties" | "schemas" | "paths", dict()):  # names, not words of the dialect
                made[key] = {name: dialect_30(part) for name, part in value.items()}
            case "const", _:
                made["enum"] = [value]
            case "examples", [first, *_]:
                made["example"] = first
            case "prefixItems", [first, *others]:
                alike = all(other == first for other in others)
                made["items"] = dialect_30(first if alike else {"oneOf": value})
            case (("exclusiveMinimum" | "exclusiveMaximum"), int() | float()):
                made[key.replace("exclusiveM", "m")] = value
                made[key] = True
            case "anyOf", list() if {"type": "null"} in value:
                made |= _nullable([part for part in value if part != {"type": "null"}])
            case "default" | "example" | "enum", _:
                made[key] = value
            case _ if key not in _UNKNOWN_TO_30:
                made[key] = dialect_30(value)
    return made


def _nullable(parts: list[dict[str, Any]]) -> dict[str, Any]:
    one = len(parts) == 1
    if one and "$ref" not in parts[0]:
        return {**dialect_30(parts[0]), "nullable": True}
    return {"allOf" if one else "oneOf": dialect_30(parts), "nullable": True}
