"""What a unit of each phase does. Each returns small JSON for the ledger and its tile count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from geogaze.bundles import Bundle, file_sha256, file_stem, find_bundle
from geogaze.config import Settings
from geogaze.errors import InvalidBundle
from geogaze.explain.engine import load_engine
from geogaze.grid.tiling import Chunk
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.states import Phase
from geogaze.ledger.store import Ledger
from geogaze.planning.plan import Plan
from geogaze.products import cog, stac
from geogaze.products.classes import best_classes, write_classes
from geogaze.products.heat import TileMap, blend, write_heat
from geogaze.products.overlay import write_overlay
from geogaze.products.preview import Layer, write_preview
from geogaze.products.tiles import TileTable, standings, strongest, write_tiles
from geogaze.runner.ahead import ahead
from geogaze.runner.chunk import (
    ChunkTable,
    Pulse,
    explain_chunk,
    load_evidence,
    load_table,
    store_chunk,
)
from geogaze.runner.scratch import scratch_folder
from geogaze.runner.unseen import check_empty, unseen_tiles
from geogaze.scene.policy import SourcePolicy, is_remote
from geogaze.scene.reader import SceneReader
from geogaze.scene.source import open_scene
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
    with scratch_folder(bench.settings) as scratch:
        return _PHASES[claim.phase](bench, claim, plan, pulse, scratch)


def _open_scene(bench: Bench, plan: Plan) -> AbstractContextManager[DatasetReader]:
    """The scene that the job was planned for, or none."""
    policy = SourcePolicy.local() if plan.local else SourcePolicy.of(bench.settings)
    return open_scene(plan.scene.uri, policy, bench.settings, version=plan.scene.version)


def _reader(bench: Bench, plan: Plan, dataset: DatasetReader, *, lenient: bool) -> SceneReader:
    seconds = bench.settings.silence_seconds
    return SceneReader(dataset, plan.scene, plan.working, lenient=lenient, silence_seconds=seconds)


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
    chunk = plan.chunk(claim.root, claim.window)
    # What a remote store did not send may come the next time.
    last_try = claim.failures + 1 >= settings.max_attempts
    lenient = plan.on_error == "skip" and (last_try or not is_remote(plan.scene.uri))
    with _open_scene(bench, plan) as dataset:
        reader = _reader(bench, plan, dataset, lenient=lenient)
        done = explain_chunk(plan, chunk, reader, engine, pulse)
    store_chunk(bench.storage, claim.prefix, done.table, done.evidence)
    seen = done.table.seen
    result = {"seen": int(seen.sum()), "path": done.path, "unreadable": done.unreadable}
    return Outcome(result, tiles=len(seen))


def _calibrate(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    layer = plan.layers[claim.root]
    coverage = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    heat = blend(plan, _maps(bench, claim, plan, coverage, pulse), coverage)
    if heat.statistics is None:
        parts = bench.ledger.parts(claim.job_id, Phase.EXPLAIN)
        check_empty(plan, layer, parts, bench.ledger.skipped(claim.job_id), coverage)
    target = scratch / f"heat-{file_stem(layer)}.tif"
    write_heat(heat, plan, layer, target, scratch)
    asset = _keep(bench, claim, target, cog.MEDIA_TYPE)
    return Outcome({"asset": asset, "scale": heat.scale, "statistics": heat.statistics})


def _maps(
    bench: Bench, claim: Claim, plan: Plan, coverage: NDArray[np.float32], pulse: Pulse
) -> Iterator[TileMap]:
    """Maps of all tiles of one layer; fills ``coverage`` on the way.

    Chunk by chunk, each row by row, also where a chunk was split: sums of floating-point numbers
    depend on their order, and the products must not depend on what went wrong on the way.
    """

    def load(part: Part) -> tuple[Chunk, ChunkTable, NDArray[np.float32]]:
        table = load_table(bench.storage, part)
        seen = int(table.seen.sum())
        maps = load_evidence(bench.storage, part, claim.root, seen, plan.tiling.cells)
        return plan.chunk(part.root, part.window), table, maps

    parts = bench.ledger.parts(claim.job_id, Phase.EXPLAIN)
    loaded = zip(parts, ahead(load, parts), strict=True)
    for _, pieces in groupby(loaded, key=lambda pair: pair[0].root):
        found: list[tuple[tuple[int, int], NDArray[np.float32]]] = []
        for _, (chunk, table, maps) in pieces:
            row0, col0, row1, col1 = plan.tiling.chunk_cells(chunk)
            coverage[row0:row1, col0:col1] = table.coverage
            tiles = [tile for tile, looked in zip(chunk.tiles(), table.seen, strict=True) if looked]
            found.extend(zip(tiles, maps, strict=True))
        for (row, col), evidence in sorted(found, key=lambda tile: tile[0]):
            yield row, col, evidence
        pulse(0)


def _render(bench: Bench, claim: Claim, plan: Plan, pulse: Pulse, scratch: Path) -> Outcome:
    layer = plan.layers[claim.root]
    heat_part = bench.ledger.parts(claim.job_id, Phase.CALIBRATE)[claim.root]
    heat = _load_heat(bench, heat_part, scratch)
    target = scratch / f"overlay-{file_stem(layer)}.tif"
    with _open_to_show(bench, plan) as reader:
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
    tables = ahead(lambda part: load_table(bench.storage, part), parts)
    chunks = [(plan.chunk(p.root, p.window), t) for p, t in zip(parts, tables, strict=True)]
    given_up = bench.ledger.skipped(claim.job_id)
    heats = bench.ledger.parts(claim.job_id, Phase.CALIBRATE)
    found_heat = any(part.result["statistics"] for part in heats)
    skipped = unseen_tiles(plan, parts, chunks, given_up, found_heat=found_heat)
    nothing = np.empty((0, 0), dtype=np.float32)
    for unit in given_up:
        chunk = plan.chunk(unit.root, unit.window)
        chunks.append((chunk, ChunkTable.unseen(plan, len(list(chunk.tiles())), nothing)))
    paths = sorted({part.result["path"] for part in parts} - {""})
    pulse(0)
    overlays = bench.ledger.parts(claim.job_id, Phase.RENDER)
    table = _tile_table(plan, chunks)
    tiles, preview, item = (scratch / n for n in ("tiles.parquet", "preview.png", "item.json"))
    write_tiles(plan, table, tiles)
    pulse(0)
    standing = standings(plan, table)
    shown = [
        Layer(plan.layers[i], _load_heat(bench, heats[i], scratch), standing[plan.layers[i]])
        for i in strongest(plan, table, 5)
    ]
    with _open_to_show(bench, plan) as reader:
        write_preview(plan, reader, shown, preview)
    pulse(0)
    made = {}
    if plan.targets is None:
        classes = scratch / "classes.tif"
        best = best_classes(plan, table, np.isfinite(shown[0].heat))
        write_classes(plan, best, classes, scratch)
        made["classes"] = _keep(bench, claim, classes, cog.MEDIA_TYPE)
    assets = {
        **{f"heat-{plan.layers[p.root]}": p.result["asset"] for p in heats},
        **made,
        **{f"overlay-{plan.layers[p.root]}": p.result["asset"] for p in overlays},
        "tiles": _keep(bench, claim, tiles, PARQUET),
        "preview": _keep(bench, claim, preview, "image/png"),
    }
    calibration = {plan.layers[p.root]: p.result for p in heats}
    status = bench.ledger.status(claim.job_id)
    item.write_text(
        stac.item_json(
            plan, str(claim.job_id), status.created, assets, calibration, paths, standing
        )
    )
    assets["item"] = _keep(bench, claim, item, "application/geo+json")
    return Outcome({"assets": {"files": assets, "skipped": skipped}})


@contextmanager
def _open_to_show(bench: Bench, plan: Plan) -> Iterator[SceneReader]:
    """The scene behind a picture: blocks that are known to be damaged stay empty."""
    with _open_scene(bench, plan) as dataset:
        yield _reader(bench, plan, dataset, lenient=plan.on_error == "skip")


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
