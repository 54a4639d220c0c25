"""How the heat of two jobs comes to one scale, or why it does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from geogaze.comparing.finished import Finished
from geogaze.errors import InvalidRequest
from geogaze.grid.sketch import Sketch
from geogaze.products.make.heat import scale_of

Positive = Callable[[Finished], Sketch]
"""Counts the positive values of one of the jobs."""


class Scaling(NamedTuple):
    """The evidence of both jobs that becomes 1; None where values are heat already."""

    a: float | None
    b: float | None


def own_scales(a: Finished, b: Finished) -> bool:
    """Whether evidence of the two is of different kinds, so that each has a scale of its own."""
    return a.kind != b.kind


def scaling_of(layer: str, a: Finished, b: Finished, positive: Positive) -> Scaling:
    """How two layers become heat that compares.

    Args:
        layer: its name in both.
        a: one job.
        b: the other.
        positive: asked only of jobs with raw evidence.

    Raises:
        InvalidRequest: there is no one scale.
    """
    normalized = {a.normalize, b.normalize}
    if "tile" in normalized:
        if normalized == {"tile"}:
            return Scaling(None, None)
        raise InvalidRequest(
            f"{a.folder} has normalize {a.normalize!r}, {b.folder} {b.normalize!r}: heat whose "
            "tiles each have a scale of their own compares with no other."
        )
    if own_scales(a, b):
        return Scaling(*(_own(job, positive) for job in (a, b)))
    if normalized == {"none"}:
        shared = _quantile(positive(a)) or _quantile(positive(b)) or 1.0
        return Scaling(shared, shared)
    if a.normalize == "none":
        return Scaling(b.scale(layer) or _own(a, positive), None)
    if b.normalize == "none":
        return Scaling(None, a.scale(layer) or _own(b, positive))
    one, other = a.scale(layer) or 0.0, b.scale(layer) or 0.0
    if not math.isclose(one, other, rel_tol=1e-6):
        raise InvalidRequest(
            f"The heat of {layer!r} is 1 at an evidence of {one:.4g} in {a.folder} and of "
            f"{other:.4g} in {b.folder}: run the second with --scale-from {a.folder}, or both with "
            "--normalize none."
        )
    return Scaling(None, None)


def _own(job: Finished, positive: Positive) -> float | None:
    """A scale for raw evidence by itself."""
    return None if job.normalize == "job" else _quantile(positive(job)) or 1.0


def _quantile(sketch: Sketch) -> float | None:
    return scale_of(sketch, "job")
