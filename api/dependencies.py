"""What every request handler may ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from api.access import caller_of
from geogaze.config import Settings
from geogaze.errors import JobNotFound
from geogaze.ledger.quotas import Quota
from geogaze.ledger.store import Ledger
from geogaze.processes.planner import Planner
from geogaze.storage import Storage


@dataclass(frozen=True)
class Services:
    """The process's ledger, storage, settings and planner."""

    settings: Settings
    ledger: Ledger
    storage: Storage
    planner: Planner


def _all_services(request: Request) -> Services:
    """The services as they are."""
    services: Services = request.app.state.services
    return services


def seen_by(request: Request) -> Services:
    """The services, whose ledger shows the caller's own jobs alone."""
    services = _all_services(request)
    quota = Quota.of(services.settings)
    return replace(services, ledger=services.ledger.of(tenant_of(request), quota))


def tenant_of(request: Request) -> str:
    """Whose request it is.

    Raises:
        NotAdmitted: nobody knows.
    """
    return caller_of(request).tenant


def job_id(job: str) -> UUID:
    """A job's id.

    Raises:
        JobNotFound: no job can have it.
    """
    try:
        return UUID(job)
    except ValueError as error:
        raise JobNotFound(f"There is no job {job[:80]!r}.") from error


def base_url(request: Request) -> str:
    """The API's address as the client sees it, without a slash at its end."""
    services = _all_services(request)
    return (services.settings.public_url or str(request.base_url)).rstrip("/")


def unchanged(request: Request, tag: str) -> bool:
    """Whether the client has what this tag is of, as If-None-Match says."""
    told = request.headers.get("if-none-match", "").split(",")
    return not {"*", tag}.isdisjoint(one.strip().removeprefix("W/") for one in told)


With = Annotated[Services, Depends(seen_by)]
WithAll = Annotated[Services, Depends(_all_services)]
"""For what is nobody's own, and asked for without a tenant."""
JobId = Annotated[UUID, Depends(job_id)]
