"""Who is at work, for operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access import Need, needs
from api.dependencies import WithAll
from api.problems import documented
from geogaze.intervals import written
from geogaze.ledger.workers import Workers, WorkerStatus

router = APIRouter()


class UnitInHand(BaseModel):
    """A unit that a worker is at."""

    job: str
    tenant: str
    phase: str
    unit: int = Field(description="Which of its phase.")
    attempt: int
    tilesDone: int  # noqa: N815  as in a job's status


class WorkerInfo(BaseModel):
    """A living worker. What one of an older release does not tell is left out."""

    name: str = Field(description="Host, a word of its own, and the process's id.")
    host: str
    device: str | None = None
    model: str | None = Field(default=None, description="That of its last unit that had one.")
    slots: int = Field(description="Units that it takes at once.")
    version: str | None = None
    started: str | None = None
    seen: str = Field(description="When it was last heard of; a minute later it is dead.")
    units: list[UnitInHand]


class WorkerList(BaseModel):
    """All living workers."""

    workers: list[WorkerInfo]


@router.get(
    "/workers",
    tags=["service"],
    response_model=WorkerList,
    response_model_exclude_none=True,
    responses=documented(),
)
@needs(Need.ADMIN)
def workers(services: WithAll) -> dict[str, Any]:
    """Workers that are alive, and the units they have in hand, of all tenants.

    Who has been silent for a minute is not among them.
    """
    alive = Workers(services.ledger.database).alive()
    return {"workers": [_info(worker) for worker in alive]}


def _info(worker: WorkerStatus) -> WorkerInfo:
    told = worker.report
    return WorkerInfo(
        name=told.name,
        host=told.name.partition(":")[0],
        device=told.device,
        model=told.model,
        slots=told.slots,
        version=worker.version,
        started=written(worker.started) if worker.started else None,
        seen=written(worker.seen),
        units=[
            UnitInHand(
                job=str(unit.job),
                tenant=unit.tenant,
                phase=unit.phase,
                unit=unit.position,
                attempt=unit.attempt,
                tilesDone=unit.items,
            )
            for unit in worker.units
        ],
    )
