"""Accepting a job: plan it, then write it into the ledger in one transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from geogaze.ledger.store import Ledger
from geogaze.ledger.submission import DEFAULT_TENANT, PhasePlan, Submission
from geogaze.processes.plan import ProcessPlan
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import find_process
from geogaze.processes.wanted import Wanted

_ALL = Wanted()


def phases_of(plan: ProcessPlan) -> tuple[PhasePlan, ...]:
    """What the ledger has to know of a job's phases: what its process says, and its plan."""
    return tuple(
        PhasePlan(
            step.name,
            plan.units.get(step.name, 1),
            share=step.share,
            doing=step.doing,
            grid=plan.grids.get(step.name),
            noun=step.noun,
            skips=plan.skips,
            shared=step.shared,
        )
        for step in find_process(plan.process).order
    )


def asked_for(request: ProcessRequest, wanted: Wanted = _ALL) -> dict[str, Any]:
    """What was asked for, as the ledger keeps it."""
    return {**request.model_dump(mode="json"), **wanted.kept()}


def submit(
    ledger: Ledger,
    request: ProcessRequest,
    plan: ProcessPlan,
    *,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    subscriber: dict[str, Any] | None = None,
    wanted: Wanted = _ALL,
    request_id: str | None = None,
) -> UUID:
    """Write a planned job into the ledger; its id.

    Args:
        ledger: where to.
        request: the inputs.
        plan: what they come to.
        tenant: whose job it is.
        idempotency_key: a word of the client's; the same one returns the same job.
        subscriber: OGC's ``successUri``, ``failedUri``, ``inProgressUri``, and ``base``, the
            address of the API that was asked.
        wanted: which products were asked for, and how.
        request_id: what logs call the request that it came by.

    Raises:
        IdempotencyKeyReused: the key came before, with another request.
    """
    return ledger.submit(
        Submission(
            request=asked_for(request, wanted),
            plan=plan.kept(),
            phases=phases_of(plan),
            content=plan.content,
            process=plan.process,
            tenant=tenant,
            priority=request.urgency,
            idempotency_key=idempotency_key,
            subscriber=subscriber,
            warnings=plan.warnings,
            request_id=request_id,
        )
    )
