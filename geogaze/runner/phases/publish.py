"""The phase publish: tables, contact sheet and the description of all products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.ledger.records import Claim
from geogaze.processes.explain.plan import Plan
from geogaze.products import stac
from geogaze.products.make import cog
from geogaze.products.make.classes import best_classes, write_classes
from geogaze.products.make.preview import Layer, write_preview
from geogaze.products.make.tiles import TileTable, standings, strongest, write_tiles
from geogaze.runner.ahead import ahead
from geogaze.runner.part import ChunkTable, load_table
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    keep,
    load_heat,
    open_to_show,
)
from geogaze.runner.pulse import Pulse
from geogaze.runner.unseen import unseen_tiles

PARQUET = "application/vnd.apache.parquet"


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """The tables, the contact sheet and the Item: what needs all that came before."""
    plan = Plan.model_validate(claim.plan)
    parts = resources.ledger.parts(claim.job_id, "explain")
    tables = ahead(lambda part: load_table(resources.storage, part), parts)
    chunks = [(plan.chunk(p.root, p.rectangle), t) for p, t in zip(parts, tables, strict=True)]
    given_up = resources.ledger.skipped(claim.job_id)
    heats = resources.ledger.parts(claim.job_id, "calibrate")
    found_heat = any(part.result["statistics"] for part in heats)
    skipped = unseen_tiles(plan, parts, chunks, given_up, found_heat=found_heat)
    nothing = np.empty((0, 0), dtype=np.float32)
    for unit in given_up:
        chunk = plan.chunk(unit.root, unit.rectangle)
        chunks.append((chunk, ChunkTable.unseen(plan, len(list(chunk.tiles())), nothing)))
    paths = sorted({part.result["path"] for part in parts} - {""})
    pulse(0)
    overlays = resources.ledger.parts(claim.job_id, "render")
    table = _tile_table(plan, chunks)
    tiles, preview, item = (scratch / n for n in ("tiles.parquet", "preview.png", "item.json"))
    write_tiles(plan, table, tiles)
    pulse(0)
    standing = standings(plan, table)
    shown = [
        Layer(plan.layers[i], load_heat(resources, heats[i], scratch), standing[plan.layers[i]])
        for i in strongest(plan, table, 5)
    ]
    with open_to_show(resources, plan) as reader:
        write_preview(plan, reader, shown, preview)
    pulse(0)
    made = {}
    if plan.targets is None:
        classes = scratch / "classes.tif"
        best = best_classes(plan, table, np.isfinite(shown[0].heat))
        write_classes(plan, best, classes, scratch)
        made["classes"] = keep(resources, claim, classes, cog.MEDIA_TYPE)
    assets = {
        **{f"heat-{plan.layers[p.root]}": p.result["asset"] for p in heats},
        **made,
        **{f"overlay-{plan.layers[p.root]}": p.result["asset"] for p in overlays},
        "tiles": keep(resources, claim, tiles, PARQUET),
        "preview": keep(resources, claim, preview, "image/png"),
    }
    calibration = {plan.layers[p.root]: p.result for p in heats}
    status = resources.ledger.status(claim.job_id)
    item.write_text(
        stac.item_json(
            plan, str(claim.job_id), status.created, assets, calibration, paths, standing
        )
    )
    assets["item"] = keep(resources, claim, item, "application/geo+json")
    return Outcome({"assets": {"files": assets, "skipped": skipped}})


def _tile_table(plan: Plan, chunks: list[tuple[Any, ChunkTable]]) -> TileTable:
    positions = np.array([tile for chunk, _ in chunks for tile in chunk.tiles()])
    order = np.lexsort((positions[:, 1], positions[:, 0]))

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(t, name) for _, t in chunks], axis=-1)[..., order]

    return TileTable(
        row=positions[order, 0],
        col=positions[order, 1],
        valid_fraction=joined("valid_fraction"),
        top=joined("top"),
        top_probability=joined("top_probability"),
        probabilities=joined("probabilities"),
    )
