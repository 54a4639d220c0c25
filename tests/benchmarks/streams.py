"""A job that many watch: how far behind is what they see, and what does that cost the API?

``python -m tests.benchmarks.streams --tiles 100000 --watchers 50`` runs one job of a network that
does nothing on the whole system, and prints JSON. The ledger is asked twenty times a second for
what there is to see; each watcher's lag is the time from then until an event says as much. With
``--page`` the job is of a drawn scene, and its page is open in Chromium besides: the map's lag is
the time from the moment that a unit is done until it is drawn. Pictures go where ``LOOKS`` says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import create_engine

from geogaze.async_client import AsyncClient
from geogaze.client import Client
from geogaze.demo.scene import write_demo_scene
from geogaze.ledger.store import Ledger
from tests.benchmarks.ledger import cpu_seconds, null_stack
from tests.benchmarks.null import NULL_SIZE

_SAMPLE_SECONDS = 0.05

Seen = list[tuple[float, int]]
"""Moments, and how many tiles were done as somebody saw it then."""


@dataclass
class Truth:
    """When there was more to see, as the ledger has it: with units at work, and of those done."""

    seen: Seen = field(default_factory=list)
    done: Seen = field(default_factory=list)


def measure(tiles: int, watchers: int, workers: int, *, page: bool = False) -> dict[str, Any]:
    """Run a job of so many tiles before so many watchers, and its page."""
    draw = _draw if page else None
    with (
        null_stack(tiles, workers, draw) as (stack, inputs, exactly),
        Client(stack.api_url) as client,
        _opened(exactly) if page else nullcontext((None, None)) as (show, shown),
    ):
        client.jobs(limit=1)  # the API's first answer pays for imports
        before, start = cpu_seconds(stack), time.monotonic()
        job = client.submit(inputs | {"overlays": page})["jobID"]
        if show:
            show(f"{stack.api_url}/jobs/{job}")
        with _truth(stack.postgres.url, UUID(job)) as truth:
            seen = asyncio.run(_watched(stack.api_url, job, watchers))
        seconds = time.monotonic() - start
        after = cpu_seconds(stack)
        ended = client.status(job)["status"]
        drawn = shown.result() if shown else None
    told = {
        "tiles": exactly,
        "status": ended,
        "seconds": round(seconds, 1),
        "watchers": len(seen),
        "events": sum(map(len, seen)),
        "changes": len(truth.seen),
        "lag_s": _percentiles(np.concatenate([_lags(truth.seen, each) for each in seen])),
        "api_cpu_s": round(after["api"] - before["api"], 2),
        "cpu_s": round(sum(after.values()) - sum(before.values()), 2),
    }
    if drawn is not None:
        told |= {"maps": len(drawn), "map_lag_s": _percentiles(_lags(truth.done, drawn))}
    return told


def _percentiles(lags: np.ndarray[Any, Any]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(lags, q)), 2) for q in (50, 95, 99, 100)}


def _draw(path: Path, rows: int, cols: int) -> None:
    """An airport and a harbour, a tile of eight pixels for each that is asked for."""
    write_demo_scene(path, max(rows, cols) * NULL_SIZE)


def _opened(tiles: int) -> AbstractContextManager[Any]:
    from tests.looks.growing import page_open  # needs a browser, which others have not

    return page_open(tiles)


async def _watched(url: str, job: str, watchers: int) -> list[Seen]:
    """What each of the watchers saw, until the job had ended."""

    async def watch(client: AsyncClient) -> Seen:
        seen: Seen = []
        async for event in client.events(job):
            if event.name == "status":
                seen.append((time.monotonic(), event.data["tilesDone"]))
        return seen

    # One client has connections enough for all; to make fifty takes seconds of this machine's.
    async with AsyncClient(url, timeout=60) as client:
        return await asyncio.gather(*(watch(client) for _ in range(watchers)))


@contextmanager
def _truth(database: str, job: UUID) -> Iterator[Truth]:
    """When there was more to see, as the ledger has it."""
    engine = create_engine(database)
    ledger, ended, truth = Ledger(engine), threading.Event(), Truth()

    def sample() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            at, status = time.monotonic(), ledger.status(job)
            for known, tiles in ((truth.seen, status.items_seen), (truth.done, status.items_done)):
                if tiles and (not known or tiles > known[-1][1]):
                    known.append((at, tiles))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield truth
    finally:
        ended.set()
        thread.join()
        engine.dispose()


def _lags(truth: Seen, seen: Seen) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds from each moment that there was more to see to the first event that says so."""
    moments, done = (np.array(part) for part in zip(*seen, strict=True))
    whens, there = (np.array(part) for part in zip(*truth, strict=True))
    first = np.searchsorted(np.maximum.accumulate(done), there)
    if (first == len(moments)).any():
        raise AssertionError("a watcher never saw all tiles done")
    return np.maximum(moments[first] - whens, 0)


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--watchers", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="with the job's page in Chromium")
    options = parser.parse_args()
    told = measure(options.tiles, options.watchers, options.workers, page=options.page)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
