"""``python -m tests.chaos.driver``: the whole system under faults, and what must hold afterwards.

API, two dispatchers, three workers, Redis, PostgreSQL and S3, all real processes. While jobs come
in, things are killed, stopped, emptied, restarted and made to fail, in an order that the seed
decides; inside the workers ``site/sitecustomize.py`` kills at every labelled step. Some scenes are
damaged, hold a tile that kills whoever explains it, or lie on a host that goes silent; one host
never speaks. Everybody shows a key and has quotas, and somebody asks for others' jobs. Then all is
left in peace, and every job must end, with every tile explained once and the bytes of a calm run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from geogaze.logs import configure_logging
from infra.programs import Dispatcher, Program
from infra.services.server import log_tail
from infra.stack import Stack
from tests.chaos.check import check
from tests.chaos.hosts import Hosts
from tests.chaos.pools import pool_children
from tests.chaos.proxy import FaultyS3
from tests.chaos.tenants import ENVIRONMENT, PLANNERS, Tenants
from tests.chaos.tenants import LOSSES as LOSSES_OF_TENANTS
from tests.chaos.traffic import CHUNK_TILES, POISON, THREADS, Traffic
from tests.factories import make_bundle

WORKERS = 3
LEASE_SECONDS = 6.0
_STEP_KILLS = 0.01  # chance of dying at each labelled step of a unit
_FULL_DISKS = 0.05
_PAUSE_SECONDS = (1.5, 4.5)
_PEACE_SECONDS = 480.0
LOSSES = (
    "tiles_lost",
    "tiles_doubled",
    "tiles_skipped_without_need",
    "jobs_unended",
    "objects_orphaned",
    "silent_scenes_accepted",
    "silent_answers_late",
    "crashes",
    *LOSSES_OF_TENANTS,
)
_STRIKES = {
    "worker": 6,
    "child": 6,
    "api": 2,
    "dispatcher": 2,
    "s3": 3,
    "silence": 2,
    "freeze": 1,
    "flush": 1,
    "redis": 1,
    "postgres": 1,
}
_SITE = Path(__file__).parent / "site"


class Chaos:
    """One run."""

    def __init__(
        self, folder: Path, seed: int, say: Callable[[str], None], *, poison: bool = True
    ) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.seed = seed
        self.say = say
        self.faults = folder / "faults.log"
        self.frozen: dict[psutil.Process, float] = {}
        self.killed: set[Program] = set()
        self._noted = 0
        self.storm_until = self.silence_until = 0.0
        environment: dict[str, str] = {}
        self.hosts = Hosts(folder / "scenes", environment)
        bundle = make_bundle(folder / "models" / "tiny")
        self.stack = Stack(
            folder / "stack",
            source_folders=[folder / "scenes"],
            workers=WORKERS,
            environment={
                "GEOGAZE_MODEL_FOLDERS": json.dumps([str(bundle.parent)]),
                "GEOGAZE_TORCH_THREADS": str(THREADS),
                "GEOGAZE_CHUNK_TILES": str(CHUNK_TILES),
                "GEOGAZE_LEASE_SECONDS": str(LEASE_SECONDS),
                "GEOGAZE_COLLECT_SECONDS": "20",
                "GEOGAZE_LEAD_SECONDS": "4",
                "GEOGAZE_SCRATCH": str(self._made("scratch")),
                "GEOGAZE_LOG_LEVEL": "debug",
                **environment,
                **ENVIRONMENT,
            },
        )
        self.standby = Dispatcher(self.stack.logs, self.stack.environment, title="dispatcher-2")
        self.s3 = FaultyS3(self.stack.s3.endpoint, seed)
        options = {
            "seed": seed,
            "kill": _STEP_KILLS,
            "full": _FULL_DISKS,
            "poison": POISON,
            "log": str(self.faults),
        }
        for program in self.programs:
            program.environment["GEOGAZE_S3_ENDPOINT"] = self.s3.url
        for number, worker in enumerate(self.stack.workers):
            worker.environment |= {
                "GEOGAZE_CHAOS": json.dumps(options),
                "GEOGAZE_CHAOS_SKEW": str((number - 1) * 7200),
                "PYTHONPATH": os.pathsep.join(
                    [str(_SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
            }
        self.tenants = Tenants(self.stack, self.chance)
        self.traffic = Traffic(
            folder, bundle, self.stack, self.hosts, self.tenants, self.chance, say, poison=poison
        )

    def _made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True)
        return path

    @property
    def programs(self) -> list[Program]:
        """What this run restarts when it dies."""
        stack = self.stack
        return [*stack.workers, stack.dispatcher, self.standby, stack.api]

    def run(self, seconds: float, kills: int = 0) -> dict[str, Any]:
        """Faults for so long, and until so many processes were killed, then peace; the counts."""
        with self.hosts, self.s3, self.stack:
            self.tenants.make_keys()
            self.traffic.prepare()
            self.standby.start()
            try:
                started = time.monotonic()
                while time.monotonic() - started < seconds or self._kills() < kills:
                    self.traffic.step()
                    self.strike()
                    self.mend()
                    time.sleep(self.chance.uniform(*_PAUSE_SECONDS))
                self.calm()
                unended = self.traffic.finish(_PEACE_SECONDS, self.mend)
                if not unended:
                    self.traffic.fill()
                    unended = self.traffic.finish(_PEACE_SECONDS, self.mend)
                self.hosts.ask_in_peace(self.stack.api_url, self.tenants.key(PLANNERS))
                found = check(self.stack, self.traffic.ended, self.s3) | self.tenants.finish()
            finally:
                self.standby.stop()
        inside = Counter(line.split(b":")[0].split()[0] for line in self._fault_lines())
        killed = [line for line in self._fault_lines() if line.startswith(b"kill")]
        steps = Counter(line.split(b":")[1].split()[0].decode() for line in killed)
        return {
            "kills": self._kills(),
            "flushes": self.counts["flush"],
            "restarts": self.counts["restart"],
            "s3_errors": self.s3.injected,
            **found,
            "jobs_unended": unended,
            "silences": self.counts["silence"],
            **self.hosts.counts,
            "checksums_equal": self.traffic.checksums_equal,
            "jobs": len(self.traffic.ended),
            "jobs_compared": self.traffic.compared,
            "jobs_dismissed": self.traffic.dismissed,
            "kills_at_step": dict(steps),
            "disks_full": inside[b"disk-full"],
            "poison_kills": inside[b"poison"],
            "workers_frozen": self.counts["freeze"],
            "crashes": self.counts["crash"],
            "seed": self.seed,
        }

    def _kills(self) -> int:
        inside = sum(line.startswith(b"kill-") for line in self._fault_lines())
        return self.counts["kill"] + inside

    def _fault_lines(self) -> list[bytes]:
        return self.faults.read_bytes().splitlines() if self.faults.exists() else []

    def strike(self) -> None:
        """One fault."""
        stack = self.stack
        kind = self.chance.choices([*_STRIKES], [*_STRIKES.values()])[0]
        self.say(f"strikes {kind}")
        match kind:
            case "worker":
                self._kill(self.chance.choice(stack.workers))
            case "child":
                self._kill_child(self.chance.choice(stack.workers))
            case "freeze":
                self._freeze(self.chance.choice(stack.workers))
            case "flush":
                import redis

                redis.Redis.from_url(stack.redis.url).flushall()
                self.counts["flush"] += 1
            case "redis":
                stack.redis.kill()
                stack.redis.start()
                self.counts["restart"] += 1
            case "postgres":
                stack.postgres.kill() if self.chance.random() < 0.5 else stack.postgres.stop()
                stack.postgres.start()
                self.counts["restart"] += 1
            case "api":
                self.traffic.submit_and(lambda: self._kill(stack.api))
            case "dispatcher":
                self._kill(self.chance.choice([stack.dispatcher, self.standby]))
            case "silence":
                self.hosts.far.mood = "silent"
                self.silence_until = time.monotonic() + self.chance.uniform(3, 12)
                self.counts["silence"] += 1
            case "s3":
                self.s3.share = 0.4
                self.storm_until = time.monotonic() + self.chance.uniform(3, 8)

    def _kill(self, program: Program) -> None:
        if program.pid is not None:
            program.kill()
            self.killed.add(program)
            self.counts["kill"] += 1

    def _kill_child(self, worker: Program) -> None:
        for child in pool_children(worker):
            child.kill()
            self.counts["kill"] += 1

    def _freeze(self, worker: Program) -> None:
        """Stop a worker in its tracks for longer than its lease: somebody else takes its unit."""
        for child in pool_children(worker):
            child.suspend()
            self._wake_later(child)

    def _wake_later(self, process: psutil.Process) -> None:
        self.frozen[process] = time.monotonic() + LEASE_SECONDS * 1.7
        self.counts["freeze"] += 1

    def _note_frozen(self) -> None:
        """Processes that stopped themselves at a step."""
        lines = [line.split() for line in self._fault_lines() if line.startswith(b"freeze")]
        for _, pid in lines[self._noted :]:
            with suppress(psutil.NoSuchProcess):
                self._wake_later(psutil.Process(int(pid)))
        self._noted = len(lines)

    def mend(self) -> None:
        """What an operator's supervisor does, and the end of what passes by itself."""
        if time.monotonic() > self.storm_until:
            self.s3.share = 0.0
        if time.monotonic() > self.silence_until:
            self.hosts.far.mood = "well"
        self._note_frozen()
        for process, until in list(self.frozen.items()):
            if time.monotonic() > until:
                del self.frozen[process]
                if process.is_running():
                    process.resume()
        for program in self.programs:
            if program.pid is None:
                # Workers are killed from inside too; whatever else ends by itself is broken.
                if program not in self.killed and program not in self.stack.workers:
                    self.say(f"{program.title} ended by itself:\n{log_tail(program.log_path)}")
                    self.counts["crash"] += 1
                self.killed.discard(program)
                program.kill()  # its children, if it left any
                program.start()

    def calm(self) -> None:
        """No fault from here on."""
        self.say("peace")
        self.faults.with_suffix(".calm").touch()
        self._note_frozen()
        self.storm_until = self.silence_until = 0.0
        for process in self.frozen:
            self.frozen[process] = 0.0
        self.mend()


def main() -> int:
    """Run chaos and print one line of JSON. Exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    console = Console(stderr=True)
    started = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - started:7.1f} s  {what}", highlight=False)

    configure_logging("error", "console")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="geogaze-chaos-", ignore_cleanup_errors=True) as name:
        found = Chaos(Path(name), chosen.seed, say).run(60 * chosen.minutes)
    print(json.dumps(found))
    whole = found["checksums_equal"] and not any(found[name] for name in LOSSES)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
