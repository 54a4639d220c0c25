"""Accepting a job: plan it, then write it into the ledger in one transaction."""

from __future__ import annotations

from uuid import UUID

from geogaze.ledger.states import Phase
from geogaze.ledger.store import Ledger
from geogaze.planning.plan import Plan
from geogaze.planning.request import ExplainRequest


def units_of(plan: Plan) -> dict[Phase, int]:
    """How many units each phase of a job has."""
    return {
        Phase.EXPLAIN: len(plan.chunks),
        Phase.CALIBRATE: len(plan.layers),
        Phase.RENDER: len(plan.layers) if plan.overlays else 0,
        Phase.PUBLISH: 1,
    }


def submit(ledger: Ledger, request: ExplainRequest, plan: Plan) -> UUID:
    """Write a planned job into the ledger; its id."""
    exclude = None if plan.local else {"bundle": {"folder"}}
    return ledger.submit(
        request.model_dump(mode="json"),
        plan.model_dump(mode="json", exclude=exclude),
        tiles=plan.tiles,
        units=units_of(plan),
    )
