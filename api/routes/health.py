"""Whether the service is well."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text

from api.access import Need, needs
from api.dependencies import WithAll
from api.problems import documented

router = APIRouter()


@router.get("/health", tags=["service"], responses=documented())
@needs(Need.NOTHING)
def health(services: WithAll) -> dict[str, str]:
    """Whether the service and its database answer."""
    with services.ledger.database.connect() as connection:
        connection.execute(text("SELECT 1"))
    return {"status": "ok"}
