"""What a job did not look at, and why."""

from __future__ import annotations

from typing import Any

from geogaze.errors import InvalidBundle, SceneUnusable
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.runner.part import ChunkTable

_NO_HEAT = "every heat cell has more invalid pixels than valid ones, so the layers are empty"


def unseen_tiles(
    plan: Plan,
    parts: list[Part],
    chunks: list[tuple[Chunk, ChunkTable]],
    given_up: list[Skipped],
    *,
    found_heat: bool,
) -> list[dict[str, Any]]:
    """Why tiles were not looked at, or in vain, how many, and which, where something went wrong.

    Args:
        plan: the job's plan.
        parts: of the explain phase.
        chunks: the same with their tables.
        given_up: units that no worker could do.
        found_heat: whether a layer has a finite cell.
    """
    bad: dict[str, list[list[int]]] = {}
    for part in parts:
        for reason, tiles in part.result["unreadable"].items():
            bad.setdefault(reason, []).extend(tiles)
    for unit in given_up:
        tiles = [list(tile) for tile in plan.chunk(unit.root, unit.rectangle).tiles()]
        bad.setdefault(unit.error, []).extend(tiles)
    reasons = [
        {"reason": reason, "tiles": len(tiles), "positions": sorted(tiles)}
        for reason, tiles in sorted(bad.items())
    ]
    damaged = {tuple(t) for p in parts for ts in p.result["unreadable"].values() for t in ts}
    # Tiles with valid pixels that nobody looked at lie outside the area of interest.
    outside, empty = 0, 0
    for chunk, table in chunks:
        unseen = [tile not in damaged for tile in chunk.tiles()] & ~table.seen
        outside += int((unseen & (table.valid_fraction > 0)).sum())
        empty += int((unseen & ~(table.valid_fraction > 0)).sum())
    if outside:
        reasons.insert(0, {"reason": "outside the area of interest", "tiles": outside})
    if empty:
        reasons.insert(0, {"reason": "no valid pixel", "tiles": empty})
    seen = int(sum(table.seen.sum() for _, table in chunks))
    if seen and not found_heat:
        reasons.append({"reason": _NO_HEAT, "tiles": seen})
    return reasons


def check_empty(
    plan: Plan,
    layer: str,
    parts: list[Part],
    given_up: list[Skipped],
    *,
    covered: bool,
) -> None:
    """Whether a layer may be without one finite cell: where its tiles failed, or too little of
    every cell is valid, which :func:`unseen_tiles` tells.

    Args:
        plan: the job's plan.
        layer: the layer.
        parts: of the explain phase.
        given_up: units of it that failed.
        covered: whether enough of a lattice cell is valid.

    Raises:
        SceneUnusable: there was nothing to look at.
        InvalidBundle: the network's evidence is no number.
    """
    if given_up or any(part.result["unreadable"] for part in parts):
        return
    if not any(part.result["seen"] for part in parts):
        where = "scene" if plan.aoi is None else "area of interest"
        raise SceneUnusable(
            f"{plan.scene.uri!r} is empty: not one of the {where}'s pixels is valid in bands "
            f"{', '.join(map(str, plan.scene.bands))} (by nodata value, masks and alpha bands)."
        )
    if covered:
        raise InvalidBundle(
            f"Model {plan.bundle.name!r} gives no finite evidence for {layer!r} anywhere in "
            f"{plan.scene.uri!r}: its weights or its normalisation are broken."
        )
