"""How quickly a scene's pixels come, by each decoder, in the windows that a job reads."""

from __future__ import annotations

import logging
import re
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
from geogaze.scene.readers import open_planned_scene
from geogaze.scene.view import SceneView

_REQUEST = re.compile(r"(VSICURL|S3): (Downloading [0-9]|GetFileSize\(.*response_code)")


def bench_read(request: ExplainRequest, settings: Settings) -> dict[str, Any]:
    """Read a scene as a job's units do, each opening it anew and as many at once as there are
    lanes; by GDAL, and by the decoder that a job would choose.

    Returns:
        The keys that ``geogaze bench read --json`` prints. ``decoders`` has for each ``seconds``,
        ``megapixels_per_s`` (of what is read, overlaps and all) and ``requests``, without the looks
        for the version, two a unit; None where GDAL did not tell.

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
    def unit(index: int) -> tuple[int, int]:
        scene = plan.scene.model_copy(update={"decoder": decoder})
        with (
            rasterio.Env(CPL_DEBUG="VSICURL,S3"),
            open_planned_scene(scene, SourcePolicy.local(), settings) as reader,
        ):
            view = SceneView(reader, plan.scene, plan.working)
            pixels = ChunkPixels.read(plan, chunks[index], view).pixels
            return pixels.valid.size, getattr(reader, "requests", 0)

    chunks = list(plan.chunks)
    with _told_by_gdal() as told:
        started = time.perf_counter()
        with ThreadPoolExecutor(settings.lanes) as pool:
            done = list(pool.map(unit, range(len(chunks))))
        seconds = time.perf_counter() - started
    requests = told.requests + sum(requests for _, requests in done)
    return {
        "seconds": seconds,
        "megapixels_per_s": sum(pixels for pixels, _ in done) / 1e6 / seconds,
        "requests": requests if requests or not plan.scene.remote else None,
    }


class _Told(logging.Handler):
    """Counts what GDAL says of its requests, which it counts itself for no one but C."""

    requests = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.requests += bool(_REQUEST.search(record.getMessage()))


@contextmanager
def _told_by_gdal() -> Iterator[_Told]:
    """A handler for what GDAL says, which is shown to nobody else meanwhile."""
    told = _Told()
    loggers = [logging.getLogger(f"rasterio.{name}") for name in ("_env", "_err")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(told)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    try:
        yield told
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(told)
            logger.setLevel(level)
            logger.propagate = propagate
