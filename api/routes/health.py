"""Whether the service is well."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select, text

from api.access import Need, needs
from api.dependencies import WithAll
from api.problems import documented
from geogaze.ledger.tables import Job
from geogaze.version import VERSION

router = APIRouter()


@router.get("/health", tags=["service"], responses=documented())
@needs(Need.NOTHING)
def health(services: WithAll) -> dict[str, str]:
    """Whether the service and its database answer."""
    with services.ledger.database.connect() as connection:
        connection.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/version", tags=["service"], responses=documented())
@needs(Need.NOTHING)
async def version() -> dict[str, str]:
    """Which release answers."""
    return {"version": VERSION}


@router.get("/livez", tags=["service"], responses=documented())
@needs(Need.NOTHING)
async def alive() -> dict[str, str]:
    """Whether the process answers at all: one that does not is to be started again."""
    return {"status": "ok"}


@router.get("/readyz", tags=["service"], responses=documented())
@needs(Need.NOTHING)
def ready(services: WithAll) -> dict[str, str]:
    """Whether requests may be sent here: the database answers, and has the ledger's tables."""
    with services.ledger.database.connect() as connection:
        connection.execute(select(Job.id).limit(1))
    return {"status": "ok"}
