"""What a unit of each phase does. Each returns small JSON for the ledger and its tile count."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from geogaze.bundles import Bundle, file_sha256, file_stem, find_bundle
from geogaze.config import Settings
from geogaze.errors import InvalidBundle
from geogaze.explain.engine import load_engine
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.states import Phase
from geogaze.ledger.store import Ledger
from geogaze.planning.plan import Plan
from geogaze.products import cog, stac
from geogaze.products.heat import TileMap, blend, write_heat
from geogaze.products.overlay import write_overlay
from geogaze.products.preview import write_preview
from geogaze.products.tiles import TileTable, strongest, write_tiles
from geogaze.runner.chunk import (
    ChunkTable,
    Pulse,
    explain_chunk,
    load_evidence,
    load_table,
    store_chunk,
)
from geogaze.scene.reader import SceneReader
from geogaze.scene.source import SourcePolicy, open_scene
from geogaze.storage import Storage

PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Bench:
    """What a unit works with."""

    settings: Settings
    ledger: Ledger
    storage: Storage


@dataclass(frozen=True)
class Outcome:
    """What a unit hands to the ledger."""

    result: dict[str, Any]
    tiles: int = 0


def perform(bench: Bench, claim: Claim, pulse: Pulse) -> Outcome:
    """Do a claimed unit's work, up to its commit."""
    plan = Plan.model_validate(claim.plan)
    with tempfile.TemporaryDirectory(prefix="geogaze-") as scratch:
        return _PHASES[claim.phase](bench, claim, plan, pulse, Path(scratch))


def _policy(bench: Bench, plan: Plan) -> SourcePolicy:
    if plan.local:
        return SourcePolicy.local(bench.settings)
    return SourcePolicy.of(bench.settings)


def resolve_bundle(plan: Plan, settings: Settings) -> Bundle:
    """The bundle of a plan, as it lies on this machine.

    Raises:
        InvalidBundle: it has other weights here than where the job was planned.
    """
    if plan.local:
        return plan.bundle
    bundle = find_bundle(plan.bundle.name, settings.model_folders)
    if bundle.weights != plan.bundle.weights:
        raise InvalidBundle(
            f"Model {bundle.name!r} has the weights {bundle.weights} on this worker, but the job "
            f"was accepted with {plan.bundle.weights}. Give all machines the same bundles."
        )
    return bundle


def _explain(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    settings = bench.settings
    engine = load_engine(resolve_bundle(plan, settings), settings)
    chunk = plan.chunks[claim.position]
    with open_scene(plan.scene.uri, _policy(bench, plan), settings) as dataset:
        reader = SceneReader(dataset, plan.scene, plan.working)
        done = explain_chunk(plan, chunk, reader, engine, pulse)
    store_chunk(bench.storage, claim.prefix, done.table, done.evidence)
    seen = done.table.seen
    return Outcome({"seen": int(seen.sum()), "path": done.path}, tiles=len(seen))


def _calibrate(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    layer = plan.layers[claim.position]
    coverage = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    heat = blend(plan, _maps(bench, claim, plan, coverage, pulse), coverage)
    target = scratch / f"heat-{file_stem(layer)}.tif"
    write_heat(heat, plan, layer, target, scratch)
    asset = _keep(bench, claim, target, cog.MEDIA_TYPE)
    return Outcome({"asset": asset, "scale": heat.scale, "statistics": heat.statistics})


def _maps(
    bench: Bench, claim: Claim, plan: Plan, coverage: NDArray[np.float32], pulse: Pulse
) -> Iterator[TileMap]:
    """Maps of all tiles of one layer in chunk order; fills ``coverage`` on the way."""
    for part in bench.ledger.parts(claim.job_id, Phase.EXPLAIN):
        chunk = plan.chunks[part.position]
        table = load_table(bench.storage, part)
        row0, col0, row1, col1 = plan.tiling.chunk_cells(chunk)
        coverage[row0:row1, col0:col1] = table.coverage
        seen = int(table.seen.sum())
        maps = load_evidence(bench.storage, part, claim.position, seen, plan.tiling.cells)
        tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
        for (row, col), evidence in zip(tiles, maps, strict=True):
            yield row, col, evidence
        pulse(0)


def _render(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    layer = plan.layers[claim.position]
    heat_part = bench.ledger.parts(claim.job_id, Phase.CALIBRATE)[claim.position]
    heat = _load_heat(bench, heat_part, scratch)
    target = scratch / f"overlay-{file_stem(layer)}.tif"
    with open_scene(plan.scene.uri, _policy(bench, plan), bench.settings) as dataset:
        reader = SceneReader(dataset, plan.scene, plan.working)
        write_overlay(plan, reader, heat, layer, target, scratch, pulse)
    return Outcome({"asset": _keep(bench, claim, target, cog.MEDIA_TYPE)})


def _load_heat(bench: Bench, part: Part, scratch: Path) -> NDArray[np.float32]:
    path = scratch / "layer.tif"
    bench.storage.get_file(part.result["asset"]["key"], path)
    with rasterio.open(path, driver="GTiff") as dataset:
        values: NDArray[np.float32] = dataset.read(1)
    path.unlink()
    return values


def _publish(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    parts = bench.ledger.parts(claim.job_id, Phase.EXPLAIN)
    chunks = [(plan.chunks[part.position], load_table(bench.storage, part)) for part in parts]
    paths = sorted({part.result["path"] for part in parts} - {""})
    pulse(0)
    heats = bench.ledger.parts(claim.job_id, Phase.CALIBRATE)
    overlays = bench.ledger.parts(claim.job_id, Phase.RENDER)
    table = _tile_table(plan, chunks)
    tiles, preview, item = (scratch / n for n in ("tiles.parquet", "preview.png", "item.json"))
    write_tiles(plan, table, tiles)
    pulse(0)
    shown = [
        (plan.layers[i], _load_heat(bench, heats[i], scratch)) for i in strongest(plan, table, 5)
    ]
    with open_scene(plan.scene.uri, _policy(bench, plan), bench.settings) as dataset:
        write_preview(plan, SceneReader(dataset, plan.scene, plan.working), shown, preview)
    pulse(0)
    assets = {
        **{f"heat-{plan.layers[p.position]}": p.result["asset"] for p in heats},
        **{f"overlay-{plan.layers[p.position]}": p.result["asset"] for p in overlays},
        "tiles": _keep(bench, claim, tiles, PARQUET),
        "preview": _keep(bench, claim, preview, "image/png"),
    }
    calibration = {plan.layers[p.position]: p.result for p in heats}
    status = bench.ledger.status(claim.job_id)
    item.write_text(
        stac.item_json(plan, str(claim.job_id), status.created, assets, calibration, paths)
    )
    assets["item"] = _keep(bench, claim, item, "application/geo+json")
    skipped = int(sum((~t.seen).sum() for _, t in chunks))
    reasons = [{"reason": "no valid pixel", "tiles": skipped}] if skipped else []
    return Outcome({"assets": {"files": assets, "skipped": reasons}})


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


def _keep(bench: Bench, claim: Claim, path: Path, media_type: str) -> dict[str, Any]:
    """Store a product under this attempt and describe it."""
    key = claim.prefix + path.name
    bench.storage.put_file(key, path, media_type)
    return {
        "key": key,
        "file": path.name,
        "type": media_type,
        "size": path.stat().st_size,
        "sha256": file_sha256(path),
    }


_PHASES = {
    Phase.EXPLAIN: _explain,
    Phase.CALIBRATE: _calibrate,
    Phase.RENDER: _render,
    Phase.PUBLISH: _publish,
}
