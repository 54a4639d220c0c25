"""What every request handler may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from geogaze.config import Settings
from geogaze.errors import JobNotFound
from geogaze.ledger.store import Ledger
from geogaze.storage import Storage


@dataclass(frozen=True)
class Services:
    """The process's ledger, storage and settings."""

    settings: Settings
    ledger: Ledger
    storage: Storage


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _job_id(job: str) -> UUID:
    try:
        return UUID(job)
    except ValueError as error:
        raise JobNotFound(f"There is no job {job!r}.") from error


With = Annotated[Services, Depends(_services)]
JobId = Annotated[UUID, Depends(_job_id)]
