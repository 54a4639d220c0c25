"""What a planned job will take, by what earlier jobs took. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from geogaze.ledger.spending import Earlier, Spent
from geogaze.processes.explain.plan import Plan
from geogaze.processes.learning import learn

_PICTURES = 5  # of layers, on the contact sheet
_SHOWING = frozenset({"draw", "assemble"})  # phases that depend on which overlays are drawn


@dataclass(frozen=True)
class Foreseen:
    """What a job will take.

    Attributes:
        spent: on its phases, by devices as they had shares in the earlier jobs.
        elapsed: seconds from its first unit's claim to its end, at as many workers as those had.
        size: bytes of its products.
    """

    spent: tuple[Spent, ...]
    elapsed: float
    size: float


def foresee(plan: Plan, earlier: Sequence[Earlier]) -> Foreseen | None:
    """What a job will take; None where no earlier one tells.

    Args:
        plan: the job's.
        earlier: jobs of the same model and options; plans that this release cannot read are left
            out, and nothing is told where no job drew its overlays by the same rule.
    """
    examples = [(then, one) for one in earlier if (then := _plan_of(one))]
    shown = [(then, one) for then, one in examples if then.overlays == plan.overlays]
    worked = [sum(row.seconds for row in one.spent) for _, one in examples]
    if not (any(worked) and shown):
        return None
    spent = [
        row
        for phase in work_of(plan)
        for row in _foresee_phase(phase, plan, shown if phase in _SHOWING else examples)
    ]
    seconds = sum(row.seconds for row in spent)
    pace, besides = learn([(work, 1) for work in worked], [one.elapsed for _, one in examples])
    sizes = learn([_made(then) for then, _ in shown], [one.size for _, one in shown])
    return Foreseen(
        spent=tuple(spent),
        elapsed=seconds * pace + besides,
        size=sum(a * b for a, b in zip(sizes, _made(plan), strict=True)),
    )


def work_of(plan: Plan) -> dict[str, tuple[float, ...]]:
    """How much each phase has to do, by measures of its own, the most telling one first."""
    layers, tiles = len(plan.layers), plan.tiles
    cells = plan.lattice.rows * plan.lattice.cols
    read = plan.canvas.height * plan.canvas.width
    pixels = read if plan.overlays != "none" else 0
    units = plan.units
    blended = cells * layers * plan.mosaics
    return {
        "explain": (tiles, read, 1, tiles * layers),
        "blend": (tiles * layers * plan.tiling.cells**2, blended, units["blend"]),
        "scale": (blended, layers, 1),
        "draw": (pixels, pixels * layers, units["draw"]),
        "assemble": (layers, cells * layers, pixels * layers),
        "publish": (1, tiles, layers),
    }


def _made(plan: Plan) -> tuple[float, ...]:
    """What products are large by, as :func:`work_of`.

    Heat, tables and polygons of more cells compress better, so they grow by the root of these; the
    sheet has pictures of the first few layers alone.
    """
    pixels = plan.canvas.height * plan.canvas.width if plan.overlays != "none" else 0
    cells = plan.lattice.rows * plan.lattice.cols
    layers = len(plan.layers)
    return (1, math.sqrt(cells * layers), min(layers, _PICTURES), pixels * layers, pixels)


def _foresee_phase(phase: str, plan: Plan, examples: Sequence[tuple[Plan, Earlier]]) -> list[Spent]:
    """A phase's time, divided among the devices that had it before."""
    took: list[float] = []
    shares: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for _, one in examples:
        mine = [row for row in one.spent if row.phase == phase]
        took.append(sum(row.seconds for row in mine))
        for row in mine:
            shares[row.device][0] += row.seconds
            shares[row.device][1] += row.core_seconds
    rates = learn([work_of(then)[phase] for then, _ in examples], took)
    seconds = sum(a * b for a, b in zip(rates, work_of(plan)[phase], strict=True))
    items = plan.tiles if phase == "explain" else 0
    return [
        Spent(phase, device, items, seconds * mine / sum(took), seconds * cores / sum(took))
        for device, (mine, cores) in shares.items()
        if sum(took) > 0
    ]


def _plan_of(one: Earlier) -> Plan | None:
    try:
        return Plan.model_validate(one.plan)
    except ValidationError:
        return None
