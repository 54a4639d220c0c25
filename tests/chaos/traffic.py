"""Jobs that come in while things break, and whether their products are those of a calm run."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from geogaze.client import ENDED, Client
from geogaze.config import Settings
from geogaze.errors import GeogazeError, RemoteError
from geogaze.planning.request import ExplainRequest
from geogaze.runner.embedded import run
from infra.stack import Stack
from tests.factories import ROTATED, make_scene

THREADS = 1
CHUNK_TILES = 16
OPEN_JOBS = 4

VARIANTS: list[dict[str, object]] = [
    {"scene": "port.tif", "classes": ["boat", "road"], "overlap": 0.5},
    {"scene": "port.tif", "classes": ["boat", "road"], "overlap": 0.5, "colormap": "viridis"},
    {"scene": "coast.tif", "classes": "all", "overlap": 0.75, "overlays": False},
    {"scene": "tiny.tif", "classes": "top", "overlap": 0},
    {"scene": "coast.tif", "classes": ["field"], "overlap": 0.5, "normalize": "none"},
]


@dataclass
class Submitted:
    """A job on its way. ``id`` is None until an API has answered."""

    variant: int
    tenant: str
    key: str = field(default_factory=lambda: uuid4().hex)
    id: str | None = None
    dismissed: bool = False


class Traffic:
    """Keeps a few jobs open."""

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        stack: Stack,
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._bundle = bundle
        self._stack = stack
        self._chance = chance
        self._say = say
        self._calm: dict[int, dict[str, str]] = {}
        self.open: list[Submitted] = []
        self.ended: list[str] = []
        self.compared = 0
        self.dismissed = 0
        self.checksums_equal = True

    def prepare(self) -> None:
        """Draw the scenes, and make every product once in peace."""
        scenes = self._folder / "scenes"
        scenes.mkdir(parents=True)
        make_scene(scenes / "port.tif", 700, 900, transform=ROTATED)
        make_scene(scenes / "coast.tif", 500, 800, seed=2)
        make_scene(scenes / "tiny.tif", 64, 64, seed=3)
        settings = Settings(torch_threads=THREADS, chunk_tiles=CHUNK_TILES)
        for number in range(len(VARIANTS)):
            inputs = self._inputs(number) | {"model": str(self._bundle)}
            out = self._folder / "calm" / str(number)
            run(ExplainRequest.parse(inputs), out, settings)
            self._calm[number] = digests(out)
        self._say("made the calm products")

    def _inputs(self, number: int) -> dict[str, object]:
        variant = VARIANTS[number]
        scene = str(self._folder / "scenes" / str(variant["scene"]))
        return {**variant, "scene": scene, "model": "tiny"}

    def step(self) -> None:
        """Submit what is missing, look after what is open."""
        while len(self.open) < OPEN_JOBS:
            self._new()
        for job in list(self.open):
            try:
                self._advance(job)
            except RemoteError as error:
                self._say(f"client: {str(error)[:100]}")

    def _new(self) -> Submitted:
        number = self._chance.randrange(len(VARIANTS))
        if self._chance.random() < 0.7:
            # Another version of the scene, as far as anybody can tell: nothing is reused.
            os.utime(self._folder / "scenes" / str(VARIANTS[number]["scene"]))
        job = Submitted(number, self._chance.choice(["anna", "bob"]))
        self.open.append(job)
        return job

    def submit_and(self, strike: Callable[[], None]) -> None:
        """Strike while a job is being submitted."""
        from threading import Thread

        job = self._new()
        thread = Thread(target=self._try_to_submit, args=(job,))
        thread.start()
        time.sleep(self._chance.uniform(0, 0.15))
        strike()
        thread.join()

    def _try_to_submit(self, job: Submitted) -> None:
        try:
            self._submit(job)
        except RemoteError as error:
            self._say(f"client: {str(error)[:100]}")

    def _submit(self, job: Submitted) -> None:
        # The key is the client's own, so asking again cannot make a second job.
        with Client(self._stack.api_url, timeout=20) as client:
            job.id = client.submit(self._inputs(job.variant), idempotency_key=job.key)["jobID"]

    def _advance(self, job: Submitted) -> None:
        if job.id is None:
            self._submit(job)
        assert job.id
        with Client(self._stack.api_url, timeout=20) as client:
            status = client.status(job.id)
            if status["status"] not in ENDED:
                if not job.dismissed and self._chance.random() < 0.01:
                    client.dismiss(job.id)
                    job.dismissed = True
                return
            if status["status"] == "failed":
                self._say(f"failed, retried: {status['message'][:200]}")
                client.retry(job.id)
                return
            if status["status"] == "successful":
                self._compare(client, job)
        self.dismissed += job.dismissed
        self.open.remove(job)
        self.ended.append(job.id)

    def _compare(self, client: Client, job: Submitted) -> None:
        assert job.id
        out = self._folder / "chaos" / job.id
        client.download(job.id, out)
        found = digests(out)
        self.compared += 1
        if found != self._calm[job.variant]:
            self.checksums_equal = False
            calm = self._calm[job.variant]
            odd = sorted(n for n in {*found, *calm} if found.get(n) != calm.get(n))
            self._say(f"job {job.id} (variant {job.variant}) differs from the calm run: {odd}")
        for path in out.iterdir():
            path.unlink()

    def finish(self, seconds: float, mend: Callable[[], None]) -> int:
        """Wait for the open jobs; how many did not end in time."""
        deadline = time.monotonic() + seconds
        while self.open and time.monotonic() < deadline:
            mend()
            for job in list(self.open):
                try:
                    self._advance(job)
                except GeogazeError as error:
                    self._say(f"client: {str(error)[:100]}")
            time.sleep(1)
        return len(self.open)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the rasters in a folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.tif"))
    }
