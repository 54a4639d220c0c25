"""What coordination costs: a whole system of real servers, and a model that does nothing.

``python -m tests.benchmarks.ledger --tiles 1000000`` runs one job and prints JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio
import redis
from affine import Affine
from sqlalchemy import create_engine, text

from geogaze.client import Client
from geogaze.errors import JobFailed
from infra.services import Server
from infra.stack import Stack
from tests.benchmarks.null import NULL_SIZE, offer_null

_SAMPLE_SECONDS = 0.25


def measure(tiles: int, workers: int) -> dict[str, Any]:
    """Run a job of so many tiles through API, dispatcher, Celery, Redis, PostgreSQL and S3.

    CPU seconds are those of all their processes, from the request to the job's end.

    Raises:
        JobFailed: the job did not succeed.
    """
    with null_stack(tiles, workers) as (stack, inputs, exactly):
        return _measured_job(stack, inputs, exactly)


@contextmanager
def null_stack(
    tiles: int, workers: int, draw: Callable[[Path, int, int], object] | None = None
) -> Iterator[tuple[Stack, dict[str, Any], int]]:
    """The whole system, its workers awake; inputs of a job of about so many tiles; how many.

    ``draw`` writes the scene of so many tiles down and across; a grey one where none is given.
    """
    rows = max(1, round(math.sqrt(tiles)))
    cols = max(1, round(tiles / rows))
    with tempfile.TemporaryDirectory(prefix="geogaze-ledger-") as name:
        folder = Path(name)
        scene = folder / "scenes" / "scene.tif"
        (draw or _write_scene)(scene, rows, cols)
        inputs = {"scene": str(scene), "model": "null", "overlap": 0, "overlays": False}
        with Stack(
            folder / "stack",
            source_folders=[scene.parent],
            workers=workers,
            environment=offer_null(folder),
        ) as stack:
            _wait_for_workers(stack, workers)
            yield stack, inputs, rows * cols


def _measured_job(stack: Stack, inputs: dict[str, Any], tiles: int) -> dict[str, Any]:
    with Client(stack.api_url, timeout=600) as client, _broker_peak(stack.redis.url) as peak:
        client.jobs(limit=1)  # the API's first answer pays for imports
        before, start = cpu_seconds(stack), time.monotonic()
        job = client.submit(inputs)["jobID"]
        submitted = time.monotonic() - start
        status = client.wait(job)
        seconds = time.monotonic() - start
        after = cpu_seconds(stack)
    if status["status"] != "successful":
        raise JobFailed(f"The job ended as {status['status']}: {status.get('message')}")
    spent = {name: after[name] - before[name] for name in after}
    with create_engine(stack.postgres.url).connect() as connection:
        size = connection.scalar(text("SELECT pg_database_size(current_database())"))
        units = connection.scalar(text("SELECT count(*) FROM units"))
    return {
        "tiles": tiles,
        "units": units,
        "seconds": seconds,
        "tiles_per_s": tiles / seconds,
        "cpu_seconds_per_million_tiles": sum(spent.values()) / tiles * 1e6,
        "submit_s": submitted,
        "broker_peak_bytes": peak[0],
        "database_bytes": size,
        "cpu_seconds": {name: round(value, 2) for name, value in spent.items()},
    }


def _write_scene(path: Path, rows: int, cols: int) -> None:
    path.parent.mkdir(parents=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=cols * NULL_SIZE,
        height=rows * NULL_SIZE,
        count=3,
        dtype="uint8",
        crs="EPSG:32631",
        transform=Affine.translation(430_000, 5_410_000) @ Affine.scale(0.5, -0.5),
        tiled=True,
        compress="deflate",
    ) as dataset:
        for _, window in dataset.block_windows(1):
            shape = (3, window.height, window.width)
            dataset.write(np.full(shape, 128, dtype=np.uint8), window=window)


def _wait_for_workers(stack: Stack, workers: int) -> None:
    """Until all have loaded what they need, which is not coordination."""
    engine = create_engine(stack.postgres.url)
    with engine.connect() as connection:
        while (connection.scalar(text("SELECT count(*) FROM workers")) or 0) < workers:
            connection.rollback()
            stack.check()
            time.sleep(_SAMPLE_SECONDS)
    engine.dispose()


def cpu_seconds(stack: Stack) -> dict[str, float]:
    """CPU seconds so far of each server and program with all its children."""
    programs: dict[str, list[Server]] = {
        "api": [stack.api],
        "dispatcher": [stack.dispatcher],
        "workers": list(stack.workers),
        "redis": [stack.redis],
        "postgresql": [stack.postgres],
        "s3": [stack.s3],
    }
    return {name: sum(_of(server.pid) for server in some) for name, some in programs.items()}


def _of(pid: int | None) -> float:
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # a connection of PostgreSQL's that has just been closed
            continue
        # Children that are gone count in their parent.
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def _broker_peak(url: str) -> Iterator[list[int]]:
    """The most memory that Redis has used meanwhile, as it says itself."""
    client = redis.Redis.from_url(url)
    client.config_resetstat()
    stop, peak = threading.Event(), [0]

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            peak[0] = max(peak[0], int(client.info("memory")["used_memory"]))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps(measure(options.tiles, options.workers)))


if __name__ == "__main__":
    main()
