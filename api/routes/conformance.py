"""What this service promises."""

from __future__ import annotations

from fastapi import APIRouter

from api import catalogue, tilesets
from api.access import Need, needs
from api.problems import documented
from api.written import Negotiated

router = APIRouter(route_class=Negotiated)

_CONF = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
CONFORMANCE = [
    *(
        f"{_CONF}/{name}"
        for name in (
            *("core", "ogc-process-description", "json", "html", "oas30"),
            *("job-list", "dismiss", "callback"),
        )
    ),
    *catalogue.CONFORMANCE,
    *tilesets.CONFORMANCE,
]


@router.get("/conformance", tags=["service"], responses=documented())
@needs(Need.NOTHING)
def conformance() -> dict[str, list[str]]:
    """The parts of standards that this service implements."""
    return {"conformsTo": CONFORMANCE}
