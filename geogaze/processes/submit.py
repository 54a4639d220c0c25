"""Accepting a job: plan it, then write it into the ledger in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from geogaze import __version__
from geogaze.ledger.states import Phase
from geogaze.ledger.store import Ledger
from geogaze.ledger.submission import DEFAULT_TENANT, Submission
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.request import ExplainRequest

_URGENCY = {"low": -1, "normal": 0, "high": 1}
_SHOWN_LATER = {
    "normalize",
    "overlays",
    "colormap",
    "place",
}  # what the explained parts do not depend on


def units_of(plan: Plan) -> dict[Phase, int]:
    """How many units each phase of a job has."""
    return {
        Phase.EXPLAIN: plan.chunk_count,
        Phase.CALIBRATE: len(plan.layers),
        Phase.RENDER: len(plan.layers) if plan.overlays else 0,
        Phase.PUBLISH: 1,
    }


def content_of(plan: Plan) -> str:
    """What the explained parts of a job depend on, as 32 hexadecimal digits.

    Scene (with its version), weights, geometry, layers, method: all of the plan but what only
    shows the parts. A scene whose version is not known is like no other.
    """
    known = plan.model_dump(mode="json", exclude={*_SHOWN_LATER, "bundle"})
    known["bundle"] = plan.bundle.model_dump(mode="json", exclude={"folder", "name"})
    known["geogaze"] = __version__
    if plan.scene.version is None:
        return uuid4().hex
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def asked_for(request: ExplainRequest, outputs: Iterable[str] = ()) -> dict[str, Any]:
    """What was asked for, as the ledger keeps it."""
    document = request.model_dump(mode="json")
    return {**document, "outputs": sorted(outputs)} if outputs else document


def submit(
    ledger: Ledger,
    request: ExplainRequest,
    plan: Plan,
    *,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    subscriber: dict[str, Any] | None = None,
    outputs: Iterable[str] = (),
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
        outputs: products that were asked for by name; none: all.

    Raises:
        IdempotencyKeyReused: the key came before, with another request.
    """
    exclude = None if plan.local else {"bundle": {"folder"}}
    return ledger.submit(
        Submission(
            request=asked_for(request, outputs),
            plan=plan.model_dump(mode="json", exclude=exclude),
            units=units_of(plan),
            grid=(plan.tiling.rows, plan.tiling.cols, plan.chunk_side),
            content=content_of(plan),
            tenant=tenant,
            priority=_URGENCY[request.priority],
            idempotency_key=idempotency_key,
            subscriber=subscriber,
            warnings=plan.warnings,
        )
    )
