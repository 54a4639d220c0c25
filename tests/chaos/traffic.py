"""Jobs that come in while things break, and whether their products are those of a calm run."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import GeogazeError, RemoteError, UnitBroke
from geogaze.following import ENDED
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.chunk import explain_chunk
from geogaze.runner.embedded import run
from geogaze.runner.phases import explain as explain_phase
from infra.stack import Stack
from tests.chaos.hosts import Hosts
from tests.chaos.pools import at_rest
from tests.chaos.tenants import NAMES, PLANNERS, Tenants
from tests.factories import ROTATED, make_scene
from tests.unit.scene.rasters import damage

THREADS = 1
CHUNK_TILES = 16
OPEN_JOBS = 4

VARIANTS: list[dict[str, object]] = [
    {"scene": "port.tif", "classes": ["boat", "road"], "overlap": 0.5},
    {"scene": "port.tif", "classes": ["boat", "road"], "overlap": 0.5, "colormap": "viridis"},
    {"scene": "coast.tif", "classes": "all", "overlap": 0.75, "overlays": False},
    {"scene": "tiny.tif", "classes": "top", "overlap": 0},
    {"scene": "coast.tif", "classes": ["field"], "overlap": 0.5, "normalize": "none"},
    {"scene": "far/coast.tif", "classes": ["boat"], "overlap": 0.5, "overlays": False},
    {"scene": "damaged.tif", "classes": ["boat"], "overlap": 0.5, "on_error": "skip"},
    {"scene": "poison.tif", "classes": ["road"], "overlap": 0, "on_error": "skip"},
]
POISON: dict[str, Any] = {"scene": "poison.tif", "tile": (1, 0)}
"""A tile that kills every process that explains it, in a scene of two by two."""


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
        hosts: Hosts,
        tenants: Tenants,
        chance: random.Random,
        say: Callable[[str], None],
        *,
        poison: bool,
    ) -> None:
        self._hosts = hosts
        self._tenants = tenants
        self._variants = [
            number
            for number, variant in enumerate(VARIANTS)
            if poison or variant["scene"] != POISON["scene"]
        ]
        self._folder = folder
        self._bundle = bundle
        self._stack = stack
        self._chance = chance
        self._say = say
        self._calm: dict[int, dict[str, str]] = {}
        self.open: list[Submitted] = []
        self.ended: list[str] = []
        self._accepted: dict[str, str] = {}
        self.compared = 0
        self.dismissed = 0
        self.checksums_equal = True

    def prepare(self) -> None:
        """Draw the scenes, and make every product once in peace."""
        scenes = self._folder / "scenes"
        scenes.mkdir(parents=True, exist_ok=True)
        make_scene(scenes / "port.tif", 700, 900, transform=ROTATED)
        make_scene(scenes / "coast.tif", 500, 800, seed=2)
        make_scene(scenes / "tiny.tif", 64, 64, seed=3)
        make_scene(scenes / "damaged.tif", 400, 500, seed=4, compress="deflate")
        damage(scenes / "damaged.tif", 2, 3)
        make_scene(scenes / str(POISON["scene"]), 128, 128, seed=5)
        settings = Settings(torch_threads=THREADS, chunk_tiles=CHUNK_TILES)
        with _poison_that_hurts():
            for number in self._variants:
                # What is far away is the same here.
                here = {"scene": str(self._file(number)), "model": str(self._bundle)}
                inputs = self._inputs(number) | here
                out = self._folder / "calm" / str(number)
                run(ExplainRequest.parse(inputs), out, settings)
                self._calm[number] = digests(out)
        self._say("made the calm products")

    def _inputs(self, number: int) -> dict[str, object]:
        variant = VARIANTS[number]
        scene = str(self._file(number))
        if str(variant["scene"]).startswith("far/"):
            scene = self._hosts.far.uri(Path(scene).name)
        return {**variant, "scene": scene, "model": "tiny"}

    def _file(self, number: int) -> Path:
        return self._folder / "scenes" / Path(str(VARIANTS[number]["scene"])).name

    def step(self) -> None:
        """Submit what is missing, look after what is open."""
        self._hosts.ask_mute(self._stack.api_url, self._tenants.key(PLANNERS))
        while len(self.open) < OPEN_JOBS:
            self._new()
        for job in list(self.open):
            try:
                self._advance(job)
            except RemoteError as error:
                self._say(f"client: {str(error)[:100]}")
        self._tenants.step([*self._accepted.items()])

    def fill(self) -> None:
        """In peace, while workers rest: as many jobs as may be, and one more for each."""
        number = next(n for n, variant in enumerate(VARIANTS) if variant["scene"] == "tiny.tif")
        os.utime(self._file(number))  # nothing is reused, so that none ends at once

        def submit(tenant: str) -> bool:
            job = Submitted(number, tenant)
            self.open.append(job)
            self._tenants.patiently(lambda: self._try_to_submit(job))
            return job.id is not None

        with at_rest(self._stack.workers):
            self._tenants.fill(submit, self._inputs(number))

    def _new(self) -> Submitted:
        # Poison takes longest, so it is never left to chance.
        first = not self.open and not self.ended
        number = self._variants[-1] if first else self._chance.choice(self._variants)
        used = {self._file(job.variant) for job in self.open}
        if self._chance.random() < 0.7 and self._file(number) not in used:
            # Another version of the scene, as far as anybody can tell: nothing is reused.
            os.utime(self._file(number))
        job = Submitted(number, self._chance.choice(NAMES))
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
        with self._client(job.tenant) as client:
            job.id = client.submit(self._inputs(job.variant), idempotency_key=job.key)["jobID"]
        self._accepted[job.id] = job.tenant

    def _client(self, tenant: str) -> Client:
        client = Client(self._stack.api_url, timeout=20, key=self._tenants.key(tenant))
        client.http.event_hooks["response"].append(self._tenants.see)
        return client

    def _advance(self, job: Submitted) -> None:
        if job.id is None:
            self._submit(job)
        assert job.id
        with self._client(job.tenant) as client:
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


@contextmanager
def _poison_that_hurts() -> Iterator[None]:
    """In this process the poisoned tile is an error; in workers ``site`` makes it deadly."""

    def judged(plan: Any, chunk: Any, *others: Any) -> Any:
        if plan.scene.uri.endswith(POISON["scene"]) and POISON["tile"] in chunk.tiles():
            raise UnitBroke("poison")
        return explain_chunk(plan, chunk, *others)

    with patch.object(explain_phase, "explain_chunk", judged):
        yield


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the rasters in a folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.tif"))
    }
