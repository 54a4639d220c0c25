"""How quickly a scene's pixels come, by each decoder, in the windows that a job reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import rasterio

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
        ``megapixels_per_s`` (of what is read, overlaps and all) and ``requests`` for
        ranges, without the looks for the version, two a unit; 0 of a local file.

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


def _measured(plan: Plan, decoder: str, settings: Settings) -> dict[str, float]:
    def unit(index: int) -> tuple[int, int]:
        with (
            open_reader(
                plan.scene.uri,
                SourcePolicy.local(),
                settings,
                version=plan.scene.version,
                decoder=decoder,
            ) as reader,
            rasterio.Env(CPL_DEBUG=True),
        ):
            view = SceneView(reader, plan.scene, plan.working)
            pixels = ChunkPixels.read(plan, chunks[index], view).pixels
            return pixels.valid.size, getattr(reader, "requests", 0)

    chunks = list(plan.chunks)
    started = time.perf_counter()
    with _gdal_requests() as asked, ThreadPoolExecutor(settings.lanes) as pool:
        done = list(pool.map(unit, range(len(chunks))))
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "megapixels_per_s": sum(pixels for pixels, _ in done) / 1e6 / seconds,
        "requests": sum(requests for _, requests in done) + len(asked),
    }


@contextmanager
def _gdal_requests() -> Iterator[list[str]]:
    """Every range that GDAL asks for meanwhile, by what it tells its log."""
    asked: list[str] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if "Downloading" in text:
                asked.append(text)

    log, counting = logging.getLogger("rasterio._env"), Counting()
    level, passes = log.level, log.propagate
    log.addHandler(counting)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield asked
    finally:
        log.removeHandler(counting)
        log.setLevel(level)
        log.propagate = passes
