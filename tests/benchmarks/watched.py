"""An operator's eyes, tried: a real Prometheus over a real stack in which things are broken.

``make watched``: windows of the rules are fifteen times shorter, and Prometheus looks each second.
First jobs run, and no alert fires; then one thing after the other is broken, the alert that is
meant for it fires, and ends once it is mended. One line of JSON for each, with the seconds (of
rules as they are run for good, about fifteen times as many). At the end the dashboard's panels are
drawn from what Prometheus has seen.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from geogaze.client import Client
from infra.programs import Program
from infra.stack import Stack
from infra.watching import Prometheus
from tests.benchmarks.outlast import until
from tests.benchmarks.panels import draw
from tests.factories import make_bundle, make_scene

QUICKER = 15
LEASE_SECONDS = 4.0
QUIET_SECONDS = 30.0
WORKERS = 2
ALLOWED_BESIDES = {
    "GeogazeNoWorker": {"GeogazePartDown", "GeogazeQueueAge"},
    # Units that the storage failed count for a while.
    "GeogazeQueueAge": {"GeogazePartDown", "GeogazeNoDispatcher", "GeogazeUnitsFail"},
    "GeogazeStorageAway": {"GeogazeUnitsFail", "GeogazeHttpErrors", "GeogazeQueueAge"},
}
"""What else is wrong then, and is told."""


class Watched:
    """A stack, a Prometheus that looks at it, and what may be broken."""

    def __init__(self, folder: Path) -> None:
        self.scenes = folder / "scenes"
        self.scenes.mkdir()
        bundle = make_bundle(folder / "models" / "tiny")
        self.stack = Stack(
            folder / "stack",
            source_folders=[self.scenes],
            workers=WORKERS,
            environment={
                "GEOGAZE_MODEL_FOLDERS": json.dumps([str(bundle.parent)]),
                "GEOGAZE_LEASE_SECONDS": str(LEASE_SECONDS),
                "GEOGAZE_CHUNK_TILES": "16",
                "GEOGAZE_LOG_FORMAT": "json",
            },
        )
        self.prometheus = Prometheus(folder / "prometheus", self.stack.scraped, quicker=QUICKER)

    def get(self, path: str, **asked: Any) -> Any:
        answer = httpx.get(
            f"{self.prometheus.url}/api/v1/{path}", params=asked, timeout=30, trust_env=False
        )
        return answer.json()["data"]

    def firing(self) -> set[str]:
        alerts = self.get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def submit(self, side: int = 1200) -> str:
        scene = self.scenes / f"{time.time_ns()}.tif"
        make_scene(scene, side, side)
        inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0.75}
        with Client(self.stack.api_url, timeout=60) as client:
            job: str = client.submit(inputs)["jobID"]
        return job

    def keep_busy(self, seconds: float) -> None:
        """Have jobs done for a while."""
        end = time.monotonic() + seconds
        with Client(self.stack.api_url, timeout=60) as client:
            while time.monotonic() < end:
                client.wait(self.submit(600))

    # What is broken, each a function that mends it again

    def no_worker(self) -> Callable[[], None]:
        for worker in self.stack.workers:
            worker.kill()
        self.submit()

        def mend() -> None:
            for worker in self.stack.workers:
                worker.start()

        return mend

    def lease_storm(self) -> Callable[[], None]:
        """Workers hang again and again: longer than a lease, then they go on."""
        self.submit(2400)
        families = [_family(worker) for worker in self.stack.workers]

        def hang() -> bool:
            for how, seconds in ((signal.SIGSTOP, LEASE_SECONDS + 1.5), (signal.SIGCONT, 1.5)):
                for process in (one for family in families for one in family):
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(how)
                time.sleep(seconds)
            return "GeogazeLeaseStorm" in self.firing()

        until(hang, 120)
        return lambda: None

    def storage_away(self) -> Callable[[], None]:
        self.submit()
        self.stack.s3.kill()
        return self.stack.s3.start

    def queue_age(self) -> Callable[[], None]:
        """Nobody hands anything out."""
        self.stack.dispatcher.kill()
        self.submit(600)
        return self.stack.dispatcher.start

    def run(self, picture: Path) -> None:
        with self.stack, self.prometheus:
            begun = time.time()
            until(self._all_up, 60)
            self.keep_busy(QUIET_SECONDS)
            assert self.firing() == set(), self.firing()
            print(json.dumps({"quiet": QUIET_SECONDS, "alerts": 0}), flush=True)
            for alert, breaks in (
                ("GeogazeLeaseStorm", self.lease_storm),
                ("GeogazeStorageAway", self.storage_away),
                ("GeogazeQueueAge", self.queue_age),
                ("GeogazeNoWorker", self.no_worker),
            ):
                self._try(alert, breaks)
            self.keep_busy(QUIET_SECONDS / 2)
            empty = draw(self.prometheus.url, begun, picture, window="10s")
            print(json.dumps({"picture": str(picture), "empty panels": empty}), flush=True)

    def _all_up(self) -> bool:
        found = self.get("query", query='up{job=~"geogaze-.+"}')["result"]
        up = {
            (one["metric"]["job"], one["metric"]["instance"])
            for one in found
            if one["value"][1] == "1"
        }
        wanted = {(job, one) for job, many in self.stack.scraped.items() for one in many}
        return up == wanted

    def _try(self, alert: str, breaks: Callable[[], Callable[[], None]]) -> None:
        started = time.monotonic()
        mend = breaks()
        others: set[str] = set()

        def fires() -> bool:
            now = self.firing()
            others.update(now - {alert})
            return alert in now

        until(fires, 180)
        fired = time.monotonic() - started
        mend()
        until(lambda: not self.firing(), 240)
        told = {
            "alert": alert,
            "fired after": round(fired, 1),
            "quiet after": round(time.monotonic() - started - fired, 1),
            "besides": sorted(others),
        }
        print(json.dumps(told), flush=True)
        unexpected = others - ALLOWED_BESIDES.get(alert, set())
        assert not unexpected, unexpected


def _family(program: Program) -> list[psutil.Process]:
    assert program.pid
    process = psutil.Process(program.pid)
    return [process, *process.children(recursive=True)]


def main() -> None:
    """Break things, see what fires, draw the dashboard."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.watched")
    parser.add_argument("--picture", type=Path, default=Path("watched.png"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geogaze-watched-") as folder:
        Watched(Path(folder)).run(chosen.picture.resolve())


if __name__ == "__main__":
    main()
