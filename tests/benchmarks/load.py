"""Many at once beside a running job: errors, how long answers take, and memory that grows.

``make load`` (``python -m tests.benchmarks.load --minutes 5``): on a stack of real servers with one
API, one dispatcher and one worker, 200 pollers ask for a job's status every two seconds, 20
submitters send an ``echo``, follow it to its end and fetch its results every eight, 10 uploaders
upload a scene of 1 MB, have it looked at and remove it every thirty; meanwhile explain jobs of the
shipped model run one after the other. Printed as JSON; ends with 1 where a request failed, a job
did, or memory grew by a tenth between the second minute and the last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import psutil

from geogaze.demo.scene import write_demo_scene
from infra.programs import Program
from infra.stack import Stack
from tests.factories import make_scene

POLLERS, POLL_S = 200, 2.0
SUBMITTERS, SUBMIT_S = 20, 8.0
UPLOADERS, UPLOAD_S = 10, 30.0
MEMORY_S = 5.0
PAUSE_S = 5.0  # that nothing of ours ran: the machine slept, or was given to others
_TICK_S = 0.25
MOST_GROWTH = 0.1
ENDED = {"successful", "failed", "dismissed"}
EXPLAIN = {"model": "aerial-scenes", "classes": ["airplane", "harbor"], "overlap": 0.75}


class Load:
    """What all callers share: where they ask, until when, and what they saw."""

    def __init__(self, http: httpx.AsyncClient, seconds: float) -> None:
        self.http = http
        self.until = time.monotonic() + seconds
        self.ticked = self.resumed = time.monotonic()
        self.pauses: list[float] = []
        self.interrupted = 0
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.wrong: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.explaining = ""
        self.begun = anyio.Event()

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    async def tick(self) -> None:
        """Notice when the machine stops all of us for a while, as one that sleeps does: that is
        nobody's answer being slow, and the time is added.
        """
        while self.goes_on:
            await anyio.sleep(_TICK_S)
            gap, self.ticked = time.monotonic() - self.ticked, time.monotonic()
            if gap > PAUSE_S:
                self.pauses.append(round(gap, 1))
                self.resumed = self.ticked
                self.until += gap

    def was_interrupted(self, began: float) -> bool:
        """Whether a request that began then met a pause."""
        return began < self.resumed or time.monotonic() - self.ticked > PAUSE_S

    async def ask(self, name: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        """One request, timed to its last byte; None where it went wrong, which is counted."""
        began = time.monotonic()
        try:
            answer = await self.http.request(method, path, **options)
        except httpx.HTTPError as error:
            if self.was_interrupted(began):
                self.interrupted += 1
                return None
            self.wrong[f"{name}: {type(error).__name__}"] += 1
            return None
        if answer.is_success and not self.was_interrupted(began):
            self.seconds[name].append(time.monotonic() - began)
        elif self.was_interrupted(began):
            self.interrupted += 1
        if answer.is_success:
            return answer
        if self.was_interrupted(began):
            return None
        self.wrong[f"{name}: {answer.status_code} {answer.text[:200]}"] += 1
        return None

    async def submit(self, process: str, inputs: dict[str, Any]) -> str | None:
        path = f"/processes/{process}/execution"
        headers = {"Prefer": "respond-async"}
        answer = await self.ask(
            f"submit {process}", "POST", path, json={"inputs": inputs}, headers=headers
        )
        return answer.json()["jobID"] if answer else None

    async def follow(self, job: str, every: float) -> bool:
        """Ask for a job until it has ended or the time is over; whether it succeeded."""
        while self.goes_on:
            answer = await self.ask("status", "GET", f"/jobs/{job}")
            status = answer.json() if answer else {}
            if status.get("status") in ENDED:
                self.ended[f"{status['processID']} {status['status']}"] += 1
                return bool(status["status"] == "successful")
            await anyio.sleep(every)
        return False


async def poll(load: Load, number: int) -> None:
    await load.ask("status", "GET", f"/jobs/{load.explaining}")


async def submit(load: Load, number: int) -> None:
    job = await load.submit("echo", {"string": f"of submitter {number}"})
    if job and await load.follow(job, 1.0):
        await load.ask("results", "GET", f"/jobs/{job}/results")


async def upload(load: Load, number: int, data: bytes) -> None:
    announced = {"name": f"{number}.tif", "size": len(data), "sha256": _sha256(data)}
    begun = await load.ask("announce upload", "POST", "/uploads", json=announced)
    if begun is None:
        return
    path = f"/uploads/{begun.json()['id']}"
    for part in begun.json()["missing"]:
        piece = data[part["start"] :][: part["size"]]
        if await load.ask("part of upload", "PUT", part["href"], content=piece) is None:
            return
    if await load.ask("complete upload", "POST", f"{path}/complete"):  # else it is gone
        await load.ask("remove upload", "DELETE", path)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def again(load: Load, number: int, of: int, every: float, act: Callable[..., Any]) -> None:
    """Act every so often until the time is over; those of a kind are spread over the interval."""
    await anyio.sleep(every * number / of)
    while load.goes_on:
        began = time.monotonic()
        await act(load, number)
        await anyio.sleep(max(0.0, began + every - time.monotonic()))


async def explain(load: Load, scene: Path) -> None:
    """One explain job after the other."""
    while load.goes_on:
        os.utime(scene)  # another version: nothing is taken over
        job = await load.submit("explain", {"scene": str(scene), **EXPLAIN})
        load.explaining = job or load.explaining
        load.begun.set()
        if job:
            await load.follow(job, POLL_S)


async def weigh(load: Load, weights: Callable[[], dict[str, int]], kept: list[Any]) -> None:
    """How much memory each part has, again and again."""
    while load.goes_on:
        kept.append(weights())
        await anyio.sleep(MEMORY_S)


def weights_of(stack: Stack) -> Callable[[], dict[str, int]]:
    """Resident bytes by part: of a worker its children too; the API's only look at uploads."""

    def family(program: Program, *, children: bool) -> int:
        assert program.pid, f"{program.title} has ended"
        process = psutil.Process(program.pid)
        of = [process, *(process.children(recursive=True) if children else ())]
        return sum(one.memory_info().rss for one in of)

    return lambda: {
        "api": family(stack.api, children=False),
        "dispatcher": family(stack.dispatcher, children=False),
        "worker": family(stack.workers[0], children=True),
    }


async def run(stack: Stack, scene: Path, uploads: list[bytes], seconds: float) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    kept: list[Any] = []
    async with httpx.AsyncClient(
        base_url=stack.api_url, timeout=60, limits=limits, trust_env=False
    ) as http:
        load = Load(http, seconds)
        async with anyio.create_task_group() as callers:
            callers.start_soon(load.tick)
            callers.start_soon(explain, load, scene)
            await load.begun.wait()
            callers.start_soon(weigh, load, weights_of(stack), kept)

            def start(count: int, every: float, act: Callable[..., Awaitable[None]]) -> None:
                for number in range(count):
                    callers.start_soon(again, load, number, count, every, act)

            async def upload_one(load: Load, number: int) -> None:
                await upload(load, number, uploads[number])

            start(POLLERS, POLL_S, poll)
            start(SUBMITTERS, SUBMIT_S, submit)
            start(UPLOADERS, UPLOAD_S, upload_one)
        last = (await http.get(f"/jobs/{load.explaining}")).json()
        return {
            "minutes": round(seconds / 60, 1),
            "requests": sum(map(len, load.seconds.values())),
            "errors": dict(load.wrong),
            "pauses": load.pauses,
            "requests in a pause": load.interrupted,
            "seconds": {name: _told(took) for name, took in sorted(load.seconds.items())},
            "jobs ended": dict(load.ended),
            "tiles per second of the job": last.get("tilesPerSecond"),
            "memory": growth(kept),
        }


def _told(seconds: list[float]) -> dict[str, Any]:
    ranks = np.percentile(seconds, [50, 95, 99])
    names = ("p50", "p95", "p99")
    told = {name: round(float(rank), 3) for name, rank in zip(names, ranks, strict=True)}
    return {"requests": len(seconds), **told, "slowest": round(max(seconds), 3)}


def growth(kept: list[dict[str, int]]) -> dict[str, Any]:
    """Medians of the second fifth and the last, in megabytes, and what the latter has more."""
    fifth = max(1, len(kept) // 5)
    early, late = kept[fifth : 2 * fifth], kept[-fifth:]
    told = {}
    for part in kept[0]:
        before, after = (statistics.median(w[part] for w in some) for some in (early, late))
        told[part] = {
            "early MB": round(before / 1e6, 1),
            "late MB": round(after / 1e6, 1),
            "growth": round(after / before - 1, 3),
        }
    return told


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    seconds = 60 * parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="geogaze-load-") as name:
        base = Path(name)
        (base / "scenes").mkdir()
        scene = base / "scenes" / "demo.tif"
        write_demo_scene(scene, size=2048, seed=7)
        uploads = [
            make_scene(base / f"{number}.tif", 580, 580, seed=number).read_bytes()
            for number in range(UPLOADERS)
        ]
        settings = {"GEOGAZE_LOG_LEVEL": "warning"}
        with Stack(
            base / "stack", source_folders=[base / "scenes"], workers=1, environment=settings
        ) as stack:
            found = anyio.run(run, stack, scene, uploads, seconds)
    print(json.dumps(found, indent=2))
    failed = sum(count for what, count in found["jobs ended"].items() if "successful" not in what)
    grew = [part for part, told in found["memory"].items() if told["growth"] >= MOST_GROWTH]
    return 1 if found["errors"] or failed or grew else 0


if __name__ == "__main__":
    raise SystemExit(main())
