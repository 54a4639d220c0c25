"""How quickly a scene's pixels come, by each decoder, in the windows that a job reads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from geogaze.config import Settings
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.chunk import ChunkPixels
from geogaze.scene.decoders import gdal_decoder
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView


def bench_read(request: ExplainRequest, settings: Settings) -> dict[str, Any]:
    """Read a scene as a job's units do, each opening it anew and as many at once as there are
    lanes; by GDAL, and by the decoder that a job would choose.

    Returns:
        The keys that ``geogaze bench read --json`` prints. ``decoders`` has for each ``seconds``,
        ``megapixels_per_s`` (of what is read, overlaps and all) and ``requests`` for ranges,
        without the looks for the version, two a unit; None of GDAL, which does not tell
        (``python -m tests.benchmarks.ranges`` counts at the host).

    Raises:
        GeogazeError: the scene cannot be planned or read.
    """
    plan = make_plan(request, settings, local=True)
    chosen = plan.scene.decoder or gdal_decoder()
    return {
        "units": plan.chunk_count,
        "chosen": chosen,
        "decoders": {
            decoder: _measured(plan, decoder, settings)
            for decoder in dict.fromkeys((chosen, gdal_decoder()))
        },
    }


def _measured(plan: Plan, decoder: str, settings: Settings) -> dict[str, float | None]:
    def unit(index: int) -> tuple[int, int | None]:
        scene = plan.scene
        with open_reader(
            scene.uri, SourcePolicy.local(), settings, version=scene.version, decoder=decoder
        ) as reader:
            view = SceneView(reader, plan.scene, plan.working)
            pixels = ChunkPixels.read(plan, chunks[index], view).pixels
            return pixels.valid.size, getattr(reader, "requests", None)

    chunks = list(plan.chunks)
    started = time.perf_counter()
    with ThreadPoolExecutor(settings.lanes) as pool:
        done = list(pool.map(unit, range(len(chunks))))
    seconds = time.perf_counter() - started
    counts = [requests for _, requests in done]
    return {
        "seconds": seconds,
        "megapixels_per_s": sum(pixels for pixels, _ in done) / 1e6 / seconds,
        "requests": None if None in counts else sum(filter(None, counts)),
    }
