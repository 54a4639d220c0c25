"""How long faults hold up a job, and what it costs a small one to come after a large one.

``python -m tests.benchmarks.faults``: real servers, two workers, one line of JSON.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from geogaze.client import Client
from geogaze.following import ENDED
from geogaze.ledger.database import connect
from geogaze.ledger.states import UnitState
from geogaze.ledger.tables import Job, Unit
from infra.stack import Stack
from tests.benchmarks.null import offer_null
from tests.factories import make_scene

LEASE = 10.0
_LONG = {"model": "aerial-scenes", "classes": ["airplane"], "overlap": 0.75, "overlays": False}


def until(what: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait for something; what it came to."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {seconds} s")
        time.sleep(0.05)
    return found


class Measurement:
    """Questions to a running stack."""

    def __init__(self, stack: Stack, engine: Engine, scenes: Path) -> None:
        self.stack = stack
        self.engine = engine
        self.scenes = scenes
        self.client = Client(stack.api_url, timeout=60)

    def submit(self, scene: str, **inputs: Any) -> str:
        found: str = self.client.submit({"scene": str(self.scenes / scene), **inputs})["jobID"]
        return found

    def timed(self, scene: str, **inputs: Any) -> float:
        """Seconds from the request to the job's end."""
        start = time.monotonic()
        job = self.submit(scene, **inputs)
        until(lambda: self.client.status(job)["status"] in ENDED)
        assert self.client.status(job)["status"] == "successful"
        return time.monotonic() - start

    def running(self, job: str) -> Any:
        with Session(self.engine) as session:
            return session.scalar(
                select(Unit).where(
                    Unit.job_id == UUID(job),
                    Unit.phase == "explain",
                    Unit.state == UnitState.RUNNING,
                )
            )

    def unit(self, unit: UUID) -> Unit:
        with Session(self.engine) as session:
            return session.get_one(Unit, unit)

    def done(self, job: str) -> int:
        with Session(self.engine) as session:
            query = select(func.count()).where(
                Unit.job_id == UUID(job), Unit.state == UnitState.DONE
            )
            return session.scalar(query) or 0

    def objects(self, prefix: str) -> int:
        s3 = self.stack.s3.connection.client()
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.stack.s3.bucket, Prefix=prefix
        )
        return sum(len(page.get("Contents", [])) for page in pages)


def turn(at: Measurement) -> dict[str, Any]:
    """A one-tile job alone, and while a job of 100,000 tiles runs."""
    at.timed("one.tif", model="null")  # imports and connections
    alone = at.timed("one-b.tif", model="null")
    large = at.submit("large.tif", model="null", overlap=0, overlays=False)
    until(lambda: at.client.status(large)["tilesDone"] > 0)
    start, before = time.monotonic(), at.client.status(large)["tilesDone"]
    behind = at.timed("one-c.tif", model="null")
    status = at.client.status(large)
    speed = (status["tilesDone"] - before) / (time.monotonic() - start)
    at.client.dismiss(large)
    return {
        "one_tile_alone_s": alone,
        "one_tile_behind_100000_s": behind,
        "of_them_left": status["tiles"] - status["tilesDone"],
        "chunk_s": 2 * 256 / speed if speed else None,
    }


def loss(at: Measurement) -> dict[str, Any]:
    """A worker killed with a unit in hand; then the broker emptied."""
    job = at.submit("city.tif", **_LONG)
    unit = until(lambda: at.running(job))
    until(lambda: at.done(job) > 0)
    unit = until(lambda: at.running(job))
    killed = next(w for w in at.stack.workers if str(w.pid) == unit.worker.rpartition(":")[2])
    start = time.monotonic()
    killed.kill()
    until(lambda: at.unit(unit.id).attempt > unit.attempt)
    again = time.monotonic() - start
    killed.start()
    import redis

    until(lambda: at.running(job))
    before = at.done(job)
    redis.Redis.from_url(at.stack.redis.url).flushall()
    start = time.monotonic()
    gaps = []
    while len(gaps) < 8 and at.client.status(job)["status"] not in ENDED:
        until(lambda seen=before: at.done(job) > seen)
        before = at.done(job)
        gaps.append(time.monotonic() - start)
        start = time.monotonic()
    # Cancel in the middle of a chunk.
    until(lambda: at.running(job))
    time.sleep(0.5)
    logs = [w.log_path for w in at.stack.workers]
    dropped = sum(p.read_text().count("unit dropped") for p in logs)
    start = time.monotonic()
    at.client.dismiss(job)
    until(lambda: sum(p.read_text().count("unit dropped") for p in logs) > dropped)
    stopped = time.monotonic() - start
    with Session(at.engine) as session:
        content = session.scalar(select(Job.content).where(Job.id == UUID(job)))
    until(lambda: not at.objects(f"jobs/{job}/") and not at.objects(f"parts/{content}/"))
    return {
        "lease_s": LEASE,
        "unit_of_killed_worker_again_after_s": again,
        "longest_pause_after_flush_s": max(gaps),
        "stopped_after_cancel_s": stopped,
        "objects_gone_after_s": time.monotonic() - start,
    }


def reuse(at: Measurement) -> dict[str, Any]:
    """The same job with another normalisation and other colours."""
    first = at.timed("town.tif", model="aerial-scenes", classes=["airplane"])
    start = time.monotonic()
    job = at.submit(
        "town.tif",
        model="aerial-scenes",
        classes=["airplane"],
        normalize="none",
        colormap="viridis",
    )
    until(lambda: at.client.status(job)["status"] in ENDED)
    status = at.client.status(job)
    return {
        "first_s": first,
        "again_s": time.monotonic() - start,
        "again_tiles_explained": status["tilesDone"] - status["tilesReused"],
    }


def main() -> None:
    """Measure, and print one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="geogaze-faults-") as name:
        folder = Path(name)
        scenes = folder / "scenes"
        scenes.mkdir()
        for one in ("one.tif", "one-b.tif", "one-c.tif"):
            make_scene(scenes / one, 8, 8)
        make_scene(scenes / "large.tif", 316 * 8, 316 * 8)
        make_scene(scenes / "city.tif", 5000, 5000)
        make_scene(scenes / "town.tif", 1200, 1200)
        with Stack(
            folder / "stack",
            source_folders=[scenes],
            workers=2,
            environment={
                **offer_null(folder),
                "GEOGAZE_LEASE_SECONDS": str(LEASE),
                "GEOGAZE_LOG_LEVEL": "debug",
            },
        ) as stack:
            at = Measurement(stack, connect(stack.postgres.url), scenes)
            print(json.dumps({**turn(at), **reuse(at), **loss(at)}))


if __name__ == "__main__":
    main()
