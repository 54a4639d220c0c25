"""Layers of a job by WMTS 1.0.0: by key and value, and its capabilities at an address of their own.

Tiles have addresses too: those of OGC API – Tiles, which the capabilities say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from api.capabilities import INFO, OPERATIONS, STYLE, capabilities
from api.dependencies import JobId, Services, With, base_url
from api.layers import Layer, Layers, WithLayers, picture
from api.problems import describe, documented
from api.wmts import MEDIA_TYPE, Asked, NotSupported, Refused, report
from geogaze.errors import GeogazeError, ObjectNotFound
from geogaze.gis.grids import Grid, Spot, TileOutOfRange, grids_of

_VERSION = "1.0.0"
_OUT_OF_RANGE = {
    "TileMatrix": "InvalidParameterValue",
    **dict.fromkeys(("TileRow", "TileCol"), "TileOutOfRange"),
    **dict.fromkeys(("I", "J"), "PointIJOutOfRange"),
}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Reporting(APIRoute):
    """A route that refuses by exception reports."""

    @override
    def get_route_handler(self) -> _Handler:
        handler = super().get_route_handler()

        async def reporting(request: Request) -> Response:
            try:
                return await handler(request)
            except GeogazeError as error:
                told = describe(error)
                code = getattr(error, "code", "NoApplicableCode")
                text = report(str(error), code, getattr(error, "locator", ""))
                headers = {
                    name: value
                    for name, value in told.headers.items()
                    if name not in {"content-type", "content-length"}
                }
                return Response(text, error.status, headers, media_type=MEDIA_TYPE)

        return reporting


router = APIRouter(prefix="/jobs/{job}/wmts", tags=["tiles"], route_class=_Reporting)


def _answers() -> dict[int | str, dict[str, Any]]:
    refusals = documented(404, 410, 501)
    for refusal in refusals.values():
        refusal["content"][MEDIA_TYPE] = {}
    return {304: {"description": "The same as before."}, **refusals}


def _parameters() -> list[dict[str, Any]]:
    """Of requests by key and value. Which ones a request needs depends on what it asks for."""
    texts = ("Version", "Layer", "Style", "Format", "TileMatrixSet", "TileMatrix", "InfoFormat")
    schemas = {
        "Service": {"type": "string", "enum": ["WMTS"]},
        "Request": {"type": "string", "enum": list(OPERATIONS)},
        **{name: {"type": "string"} for name in texts},
        **{name: {"type": "integer", "minimum": 0} for name in ("TileRow", "TileCol", "I", "J")},
    }
    return [
        {"name": name, "in": "query", "required": name in {"Service", "Request"}, "schema": schema}
        for name, schema in schemas.items()
    ]


@router.get(
    "",
    response_class=Response,
    openapi_extra={"parameters": _parameters()},
    responses={
        200: {
            "content": {kind: {} for kind in (MEDIA_TYPE, "image/png", *INFO)},
            "description": "What was asked for: capabilities, a tile, or a value.",
        },
        **_answers(),
    },
)
def wmts(request: Request, job_id: JobId, services: With, known: WithLayers) -> Response:
    """WMTS 1.0.0 by key and value; names of parameters in any case."""
    asked = Asked(request.query_params.multi_items())
    asked.one_of("Service", ["WMTS"])
    operation = asked("Request")
    if operation == "GetCapabilities":
        accepted = asked.maybe("AcceptVersions")
        if accepted and _VERSION not in accepted.split(","):
            message = f"There is version {_VERSION} alone, not {accepted[:80]!r}."
            raise Refused(message, "VersionNegotiationFailed", "AcceptVersions")
        return _capabilities(request, job_id, services, known)
    if operation not in OPERATIONS:
        message = f"There is no {operation[:80]!r} here; there is {', '.join(OPERATIONS)}."
        raise NotSupported(message, "OperationNotSupported", "Request")
    asked.one_of("Version", [_VERSION])
    layer = _layer(asked, known.of(services, job_id))
    if asked.maybe("Style"):
        asked.one_of("Style", [STYLE])
    asked.one_of("Format", ["image/png"])
    grids = grids_of(known.shown(layer))
    grid = grids[asked.one_of("TileMatrixSet", grids)]
    spot = Spot(asked("TileMatrix"), asked.number("TileRow"), asked.number("TileCol"))
    try:
        if operation == "GetTile":
            return picture(request, layer, lambda: grid.tile(spot))
        return _info(asked, layer, grid, spot)
    except TileOutOfRange as error:
        raise Refused(str(error), _OUT_OF_RANGE[error.axis], error.axis) from error


@router.get(
    "/1.0.0/WMTSCapabilities.xml",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "Its XML."}, **_answers()},
)
def wmts_capabilities(
    request: Request, job_id: JobId, services: With, known: WithLayers
) -> Response:
    """What the job's WMTS has."""
    return _capabilities(request, job_id, services, known)


def _capabilities(request: Request, job_id: JobId, services: Services, known: Layers) -> Response:
    layers = known.of(services, job_id)
    if not layers:
        raise ObjectNotFound(f"Job {job_id} has no layer to draw.")
    document = capabilities(layers, known.shown(layers[0]), base_url(request))
    return Response(document, media_type=MEDIA_TYPE)


def _layer(asked: Asked, layers: list[Layer]) -> Layer:
    named = {layer.name: layer for layer in layers}
    return named[asked.one_of("Layer", named)]


def _info(asked: Asked, layer: Layer, grid: Grid, spot: Spot) -> Response:
    """The value of the cell below a pixel, as the file has it."""
    kind = asked.one_of("InfoFormat", INFO)
    value = grid.value(spot, asked.number("I"), asked.number("J"))
    if kind == "text/plain":
        return Response(f"{layer.name}: {'none' if value is None else value}\n", media_type=kind)
    feature = {"type": "Feature", "geometry": None, "properties": {layer.name: value}}
    return Response(
        json.dumps({"type": "FeatureCollection", "features": [feature]}), media_type=kind
    )
