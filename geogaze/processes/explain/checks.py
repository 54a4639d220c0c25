"""Whether a plan is one that its job can be done by."""

from __future__ import annotations

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.grid.shifted import holds, overlap_for
from geogaze.processes.explain.finishing import finishing_of
from geogaze.processes.explain.plan import Plan

_MAX_TILES = 50_000_000
_MAX_PIXELS_PER_PIXEL = 64_000_000  # a layer is mosaicked in memory


def check_method(plan: Plan) -> None:
    """Refuse a method that the model, the context or the size of the layers does not allow.

    Raises:
        InvalidRequest: it does not.
    """
    if plan.explained_by.per_pixel:
        if plan.context == "scene":
            raise InvalidRequest(
                f"{plan.explained_by.title} goes back to the pixels of each tile; it has no scene "
                "context. Leave context at 'tile'."
            )
        pixels = plan.lattice.rows * plan.lattice.cols
        if pixels > _MAX_PIXELS_PER_PIXEL:
            raise InvalidRequest(
                f"{plan.explained_by.title} makes layers of one value per pixel, here {pixels:,}; "
                f"at most {_MAX_PIXELS_PER_PIXEL:,} are allowed. Ask for a coarser GSD or an area."
            )
    elif plan.context == "scene" and plan.bundle.halo is None:
        raise InvalidRequest(
            f"Tiles cannot share the activations of {plan.bundle.name!r} at "
            f"{plan.bundle.module!r}: the network pools over its whole input on the way there "
            "(squeeze-and-excitation), or cannot be cut at that layer, or the bundle was made "
            "before bundles told how far their layer looks. Leave context at 'tile', or import "
            "the weights anew."
        )


def check_stability(plan: Plan) -> None:
    """Refuse more shifted grids than the overlap of the tiles holds.

    Raises:
        InvalidRequest: says which overlap is needed.
    """
    if plan.stability is None:
        return
    tiling = plan.tiling
    if holds(plan.stability, tiling.cells, tiling.step):
        return
    needed = overlap_for(plan.stability, tiling.cells)
    raise InvalidRequest(
        f"Tiles that overlap by {1 - tiling.step / tiling.cells:.2f} do not make "
        f"{plan.stability} shifted grids that each cover the scene. "
        + (
            f"Ask for --overlap {needed:g} or more."
            if needed is not None
            else f"Nor would others: they have {tiling.cells} cells a side; ask for a smaller "
            "--stability."
        )
    )


def check_tiles(plan: Plan, gsd: float | None) -> None:
    """Refuse more tiles than any fleet would explain.

    Args:
        plan: the job's.
        gsd: the resolution that was asked for, metres.

    Raises:
        InvalidRequest: there are more.
    """
    if plan.tiles > _MAX_TILES:
        raise InvalidRequest(
            f"A GSD of {gsd} m and an overlap of {plan.overlap} make {plan.tiles:,} tiles; at most "
            f"{_MAX_TILES:,} are allowed. Ask for a coarser GSD or an area."
        )


def check_finish(plan: Plan, settings: Settings) -> None:
    """Refuse what a worker could not put together after hours of work.

    Raises:
        InvalidRequest: it would need more memory than the operator allows.
    """
    needed = finishing_of(plan, settings)
    what, most = max(needed.items(), key=lambda pair: pair[1])
    if most > settings.max_finish_bytes:
        raise InvalidRequest(
            f"To finish {what}, a worker would need {most / 1e9:.3g} GB of memory; at most "
            f"{settings.max_finish_bytes / 1e9:.3g} GB are allowed (GEOGAZE_MAX_FINISH_BYTES). Ask "
            "for a coarser GSD, a smaller overlap or an area."
        )
