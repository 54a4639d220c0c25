"""What coordination costs: a whole system of real servers, and a model that does nothing."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import rasterio
from affine import Affine
from sqlalchemy import create_engine, text

import geogaze
from geogaze.bench.networks import NULL_SIZE, null_bundle
from geogaze.client import Client
from geogaze.errors import InvalidRequest, JobFailed

if TYPE_CHECKING:
    from infra.services import Server
    from infra.stack import Stack

_SAMPLE_SECONDS = 0.25


def bench_ledger(tiles: int, workers: int) -> dict[str, Any]:
    """Run a job of so many tiles through API, dispatcher, Celery, Redis, PostgreSQL and S3.

    CPU seconds are those of all their processes, from the request to the job's end.

    Raises:
        InvalidRequest: geogaze is installed without the servers' starters.
        JobFailed: the job did not succeed.
    """
    stack_type = _stack_type()
    rows = max(1, round(math.sqrt(tiles)))
    cols = max(1, round(tiles / rows))
    with tempfile.TemporaryDirectory(prefix="geogaze-bench-") as name:
        folder = Path(name)
        _write_scene(folder / "scenes" / "scene.tif", rows, cols)
        null_bundle(folder / "models" / "null")
        environment = {
            "GEOGAZE_MODEL_FOLDERS": json.dumps([str(folder / "models")]),
            "GEOGAZE_TORCH_THREADS": "1",
        }
        with stack_type(
            folder / "stack",
            source_folders=[folder / "scenes"],
            workers=workers,
            environment=environment,
        ) as stack:
            _wait_for_workers(stack, workers)
            return _measure(stack, folder / "scenes" / "scene.tif", rows * cols)


def _measure(stack: Stack, scene: Path, tiles: int) -> dict[str, Any]:
    inputs = {"scene": str(scene), "model": "null", "overlap": 0, "overlays": False}
    with Client(stack.api_url, timeout=600) as client, _broker_peak(stack.redis.url) as peak:
        client.jobs(limit=1)  # the API's first answer pays for imports
        before, start = _cpu_seconds(stack), time.monotonic()
        job = client.submit(inputs)["jobID"]
        submitted = time.monotonic() - start
        status = client.wait(job)
        seconds = time.monotonic() - start
        after = _cpu_seconds(stack)
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


def _stack_type() -> type[Stack]:
    root = Path(geogaze.__file__).resolve().parents[1]
    if not (root / "infra" / "stack.py").is_file():
        raise InvalidRequest(
            "'geogaze bench ledger' starts real servers with infra/stack.py, which is not part of "
            "the installed package: run it in a checkout, after 'make install-dev'."
        )
    sys.path.insert(0, str(root))
    from infra.stack import Stack

    return Stack


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


def _cpu_seconds(stack: Stack) -> dict[str, float]:
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
    import redis

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
