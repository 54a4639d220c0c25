"""A plan on the scales of an earlier job, where evidence of the two is of one kind."""

from __future__ import annotations

import math
from uuid import UUID

from geogaze.errors import InvalidRequest
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.scales import Scales
from geogaze.wording import length

_ALIKE = 0.1  # share by which cells may differ in size before it is worth a word


def scaled(plan: Plan, given: UUID | Scales | None) -> Plan:
    """The plan with the scales that a request names; as it is, if it names none.

    Raises:
        InvalidRequest: they do not fit, or are of a job that is not known here.
    """
    if given is None:
        return plan
    if isinstance(given, UUID):
        raise InvalidRequest(
            f"scale_from: jobs of a server are not known here. Fetch it first: geogaze results "
            f"{given} --download FOLDER, then --scale-from FOLDER."
        )
    found = {"scales": _scales_of(given, plan), "scale_from": given.job}
    more = filter(None, [_advice(given, plan)])
    return plan.model_copy(update={**found, "warnings": (*plan.warnings, *more)})


def _scales_of(earlier: Scales, plan: Plan) -> dict[str, float]:
    """The scale of each layer of a job."""
    pairs = {
        "weights of the model": (earlier.weights, plan.bundle.weights),
        "network layer": (earlier.layer, plan.bundle.module),
        "method": (earlier.method, plan.explained_by.title),
        "context": (earlier.context, plan.context),
    }
    for what, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise InvalidRequest(
                f"scale_from: the {what} of the earlier job ({earlier.model}) is {theirs!r}, of "
                f"this one ({plan.bundle.name}) {ours!r}: evidence of the two has no one scale."
            )
    if {earlier.normalize, plan.normalize} != {"job"}:
        raise InvalidRequest(
            "scale_from: only heat that is normalised by job has a scale; the earlier job has "
            f"normalize {earlier.normalize!r}, this one {plan.normalize!r}."
        )
    if lacking := [layer for layer in plan.layers if not earlier.scales.get(layer, 0) > 0]:
        raise InvalidRequest(
            f"scale_from: the earlier job has no scale for {', '.join(lacking)}: it did not "
            "explain them, or found no evidence. Name others with classes; it has "
            f"{', '.join(earlier.scales) or 'none'}."
        )
    return {layer: earlier.scales[layer] for layer in plan.layers}


def _advice(earlier: Scales, plan: Plan) -> str | None:
    """What to say where the two jobs look at the ground through cells of other sizes."""
    if math.isclose(earlier.cell_metres, plan.cell_metres, rel_tol=_ALIKE):
        return None
    return (
        f"The scale is of a job whose heat cells are {length(earlier.cell_metres)}, here they are "
        f"{length(plan.cell_metres)}: things of another size give other evidence. Ask for the "
        "same --gsd."
    )
