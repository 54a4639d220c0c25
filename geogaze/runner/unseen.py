"""What a job did not look at, and why."""

from __future__ import annotations

from typing import Any

from geogaze.errors import InvalidBundle, SceneUnusable
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.runner.part import ChunkTable

_NO_HEAT = "every heat cell has more invalid pixels than valid ones, so the layers are empty"


class Unseen:
    """Why tiles were not looked at, or in vain, how many, and which, where something went wrong.

    Args:
        plan: the job's plan.
        parts: of the explain phase.
        given_up: units that no worker could do.
    """

    def __init__(self, plan: Plan, parts: list[Part], given_up: list[Skipped]) -> None:
        self._bad: dict[str, list[list[int]]] = {}
        for part in parts:
            for reason, tiles in part.result["unreadable"].items():
                self._bad.setdefault(reason, []).extend(tiles)
        self._damaged = {(row, col) for tiles in self._bad.values() for row, col in tiles}
        for unit in given_up:
            tiles = [list(tile) for tile in plan.chunk(unit.root, unit.rectangle).tiles()]
            self._bad.setdefault(unit.error, []).extend(tiles)
        self._outside, self._empty, self._seen = 0, 0, 0

    def add(self, chunk: Chunk, table: ChunkTable) -> None:
        """Count the tiles of a part."""
        unseen = ~table.seen
        if self._damaged:
            unseen &= [tile not in self._damaged for tile in chunk.tiles()]
        # Tiles with valid pixels that nobody looked at lie outside the area of interest.
        outside = int((unseen & (table.valid_fraction > 0)).sum())
        self._outside += outside
        self._empty += int(unseen.sum()) - outside
        self._seen += int(table.seen.sum())

    def reasons(self, *, found_heat: bool) -> list[dict[str, Any]]:
        """What is to be told of the parts that were added.

        Args:
            found_heat: whether a layer has a finite cell.
        """
        reasons = [
            {"reason": reason, "tiles": len(tiles), "positions": sorted(tiles)}
            for reason, tiles in sorted(self._bad.items())
        ]
        if self._outside:
            reasons.insert(0, {"reason": "outside the area of interest", "tiles": self._outside})
        if self._empty:
            reasons.insert(0, {"reason": "no valid pixel", "tiles": self._empty})
        if self._seen and not found_heat:
            reasons.append({"reason": _NO_HEAT, "tiles": self._seen})
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
    every cell is valid, which :class:`Unseen` tells.

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
