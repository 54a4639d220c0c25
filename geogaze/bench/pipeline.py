"""How much of the engine's speed is left once scenes are read and products written."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.bench.networks import random_bundle
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.device import on_device
from geogaze.evidence.engine import Engine
from geogaze.evidence.kept import load_engine
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import Context, ExplainRequest
from geogaze.products.styles import Overlays
from geogaze.runner.embedded import run

_ENGINE_SECONDS = 15.0


@dataclass(frozen=True)
class PipelineJob:
    """What to measure: a scene, a network with random weights, and how a job would run."""

    scene: Path
    architecture: str = "resnet50"
    classes: int = 20
    overlap: float = 0.5
    context: Context = "tile"
    overlays: Overlays = "none"


def bench_pipeline(job: PipelineJob, settings: Settings) -> dict[str, Any]:
    """Run a whole job, and the engine alone before and after it on a window in memory.

    Returns:
        The keys that ``geogaze bench pipeline --json`` prints. End to end is from the request to
        the last product; ``device_busy`` the share of that time in which the device explains.

    Raises:
        InvalidRequest: no tile of the scene has a valid pixel.
        GeogazeError: the scene cannot be explained.
    """
    with tempfile.TemporaryDirectory(prefix="geogaze-bench-") as folder:
        model = Path(folder) / job.architecture
        bundle = on_device(random_bundle, model, job.architecture, job.classes)
        request = ExplainRequest(
            scene=str(job.scene),
            model=str(model),
            overlap=job.overlap,
            context=job.context,
            overlays=job.overlays,
        )
        plan = make_plan(request, settings, local=True)
        engine = load_engine(bundle, settings)
        before = _engine_speed(engine, plan)
        engine.batches.busy_seconds = 0.0
        report = run(request, Path(folder) / "products", settings)
        busy = engine.batches.busy_seconds / report.seconds
        after = _engine_speed(engine, plan)
    explained = report.tiles - sum(reason["tiles"] for reason in report.skipped)
    if not explained:
        raise InvalidRequest(f"No tile of {job.scene} has a valid pixel to explain.")
    alone = (before + after) / 2
    speed = explained / report.seconds
    return {
        "tiles": explained,
        "engine_tiles_per_s": alone,
        "end_to_end_tiles_per_s": speed,
        "efficiency": speed / alone,
        "device_busy": busy,
        "seconds": report.seconds,
        "arch": job.architecture,
        "classes": job.classes,
        "overlap": job.overlap,
        "context": job.context,
        "overlays": job.overlays,
        "device": str(engine.device),
    }


def _engine_speed(engine: Engine, plan: Plan) -> float:
    """Tiles per second on a chunk of noise, again and again."""
    chunk = max(plan.chunks, key=lambda c: c.shape[0] * c.shape[1])
    tiling, halo = plan.tiling, plan.halo
    top, left, bottom, right = tiling.chunk_window(chunk)
    shape = (bottom - top + 2 * halo, right - left + 2 * halo)
    corners = [
        (row - top + halo, col - left + halo)
        for row, col, _, _ in (tiling.window(*tile) for tile in chunk.tiles())
    ]
    noise = _noise(len(plan.bundle.bands), *shape)
    window = engine.prepare(noise, np.ones(shape, dtype=bool), ((0.0, 255.0),))
    explain = engine.explain_shared if plan.context == "scene" else engine.explain_tiles
    tiles, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < _ENGINE_SECONDS:
        with closing(explain(window, corners, plan.targets, plan.method)) as batches:
            for batch in batches:
                tiles += len(batch.tiles)
    return tiles / took


def _noise(bands: int, rows: int, cols: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (bands, rows, cols), dtype=np.uint8)
