"""What a fleet outlasts: a broken device, a read-only database, processes killed again and again.

``python -m tests.benchmarks.outlast [--kills 20]``: real servers, one line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from geogaze.client import Client
from geogaze.following import ENDED
from geogaze.ledger.database import connect
from geogaze.ledger.tables import Unit
from infra.programs import Worker
from infra.stack import Stack
from tests.factories import make_bundle, make_scene

SITE = Path(__file__).parents[1] / "integration" / "site"
READ_ONLY_SECONDS = 30.0
NEXT_UNIT_SECONDS = 60.0


def until(what: Callable[[], Any], seconds: float = 300) -> Any:
    """Wait for something; what it came to."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {seconds} s")
        time.sleep(0.05)
    return found


def children(worker: Worker) -> list[psutil.Process]:
    """The pool's processes."""
    assert worker.pid
    family = psutil.Process(worker.pid).children(recursive=True)
    return [p for p in family if "spawn_main" in " ".join(p.cmdline())]


class Outlast:
    """Questions to a running stack of one worker."""

    def __init__(self, stack: Stack, scenes: Path) -> None:
        self.stack = stack
        self.scenes = scenes
        self.worker = stack.workers[0]
        self.client = Client(stack.api_url, timeout=60)

    def submit(self, side: int, **inputs: Any) -> str:
        scene = self.scenes / f"{time.time_ns()}.tif"
        make_scene(scene, side, side)
        asked = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0.5}
        found: str = self.client.submit({**asked, **inputs})["jobID"]
        return found

    def end(self, job: str) -> dict[str, Any]:
        def status() -> dict[str, Any] | None:
            found = self.client.status(job)
            return found if found["status"] in ENDED else None

        ended: dict[str, Any] = until(status, 400)
        engine = connect(self.stack.postgres.url)
        with Session(engine) as session:
            units = session.scalars(select(Unit).where(Unit.job_id == UUID(job))).all()
            tries = [unit.failures for unit in units]
            again = sum(unit.attempt > 1 for unit in units)
            states = sorted({unit.state.value for unit in units})
        engine.dispose()
        return {
            "status": ended["status"],
            "tiles": ended["tiles"],
            "done": ended["tilesDone"],
            "units": len(tries),
            "states": states,
            "tries_spent": sum(tries),
            "units_done_again": again,
        }

    def sick(self, stage: Path) -> dict[str, Any]:
        """A worker whose device fails on every batch, beside one that is well."""
        (stage / "sick").touch()
        path = os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", "")])
        environment = {**self.stack.environment, "GEOGAZE_STAGE": str(stage), "PYTHONPATH": path}
        with Worker(self.stack.logs, environment, title="sick") as worker:
            until(lambda: "worker ready" in worker.log_path.read_text())
            found = self.end(self.submit(512, overlap=0.5))
            batches = (stage / "failed").read_text().split() if (stage / "failed").exists() else []
            ended = worker.log_path.read_text().count("worker process ends")
        return {**found, "batches_failed": len(batches), "processes_ended": ended}

    def read_only(self) -> dict[str, Any]:
        """PostgreSQL refuses to write for half a minute, as after a fail-over."""
        job = self.submit(2000, overlap=0.75)
        until(lambda: self.client.status(job)["tilesDone"] > 0)
        before = children(self.worker)
        url = make_url(self.stack.postgres.url).set(drivername="postgresql")
        with psycopg.connect(
            url.render_as_string(hide_password=False),
            autocommit=True,
            options="-c default_transaction_read_only=off",
        ) as admin:
            admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            admin.execute("SELECT pg_reload_conf()")
            time.sleep(READ_ONLY_SECONDS)
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")
        back = time.monotonic()
        done = self.client.status(job)["tilesDone"]
        until(lambda: self.client.status(job)["tilesDone"] > done)
        again = time.monotonic() - back
        logs = self.worker.log_path.read_text()
        return {
            **self.end(job),
            "goes_on_after_s": round(again, 2),
            "same_process": children(self.worker) == before,
            "commits_put_off": logs.count("unit not committed"),
            "dispatcher_lives": self.stack.dispatcher.pid is not None,
        }

    def killed(self, kills: int, seconds: float) -> dict[str, Any]:
        """The pool's process killed again and again, while both cores are busy."""
        burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(2)]
        for burner in burners:
            burner.start()
        job, waits, started = self.submit(3000, overlap=0.75), [], time.monotonic()
        taken = self.worker.log_path.read_text
        try:
            while len(waits) < kills and time.monotonic() - started < seconds:
                (process,) = until(lambda: children(self.worker))
                before = taken().count("unit taken")
                process.kill()
                start = time.monotonic()
                until(lambda before=before: taken().count("unit taken") > before)
                waits.append(round(time.monotonic() - start, 1))
        finally:
            for burner in burners:
                burner.kill()
            self.client.dismiss(job)
        return {
            "kills": len(waits),
            "longest_s": max(waits),
            "all_s": waits,
            "within_60_s": max(waits) <= NEXT_UNIT_SECONDS,
        }


def _burn() -> None:
    while True:
        pass


def main() -> None:
    """Measure, and print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3600, help="for the kills, at most")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geogaze-outlast-") as name:
        folder = Path(name)
        scenes, stage = folder / "scenes", folder / "stage"
        scenes.mkdir()
        stage.mkdir()
        make_bundle(folder / "models" / "tiny")
        with Stack(
            folder / "stack",
            source_folders=[scenes],
            environment={
                "GEOGAZE_MODEL_FOLDERS": json.dumps([str(folder / "models")]),
                "GEOGAZE_TORCH_THREADS": "1",
                "GEOGAZE_CHUNK_TILES": "16",
                "GEOGAZE_LOG_LEVEL": "debug",
            },
        ) as stack:
            at = Outlast(stack, scenes)
            print(json.dumps({"read_only": at.read_only()}), flush=True)
            print(json.dumps({"sick": at.sick(stage)}), flush=True)
            print(json.dumps({"killed": at.killed(chosen.kills, chosen.seconds)}), flush=True)


if __name__ == "__main__":
    main()
