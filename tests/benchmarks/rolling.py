"""Two releases side by side on one stack, with a job in flight: up, and back again.

``make rolling [BEFORE=COMMIT]`` (``python -m tests.benchmarks.rolling``): servers, API, dispatcher
and two workers of an older commit begin a job; the database is migrated under them; a worker of
this tree joins, takes over from one of theirs, then dispatcher and API are replaced; a second job
comes by the new API while an old worker is still there. Then the new ones are alone, and then the
old ones again, on the new tables. The older commit is the one before the last that touched
migrations, if none is given. Each file of a product must be, byte for byte, as one of the two
releases makes it alone. Printed as JSON; ends with 1 where a job did not end as it should.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text

from geogaze.client import Client
from infra.programs import Api, Dispatcher, Program, Worker, command
from infra.services import S3, Postgres, Redis
from tests.factories import make_bundle, make_scene

PROJECT = Path(__file__).resolve().parents[2]
SITE = PROJECT / "tests" / "integration" / "site"  # lets units wait while a file is there
PATIENCE = 900.0  # seconds
REQUEST = {"model": "tiny", "classes": ["boat", "road"], "overlap": 0.75}


@dataclass(frozen=True)
class Release:
    """A tree of geogaze, and what its programs are told."""

    name: str
    tree: Path
    logs: Path
    environment: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        return {**self.environment, "PYTHONPATH": os.pathsep.join([str(SITE), str(self.tree)])}

    def migrate(self) -> None:
        """As its documentation says."""
        subprocess.run(
            [command("alembic"), "upgrade", "head"],
            check=True,
            cwd=self.tree,
            env={**os.environ, **self.variables},
        )

    def worker(self, number: int) -> Worker:
        return Worker(self.logs, self.variables, title=f"{self.name}-worker-{number}")

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(self.logs, self.variables, title=f"{self.name}-dispatcher")

    def api(self) -> Api:
        return Api(self.logs, self.variables, title=f"{self.name}-api")


class Rolling:
    """The stack while it is replaced, and what came of its jobs."""

    def __init__(self, folder: Path, side: int) -> None:
        self.folder = folder
        self.scenes, self.jobs = folder / "scenes", 0
        self.scene = make_scene(self.scenes / "port.tif", side, side)
        self.done: dict[str, dict[str, Any]] = {}
        self.held = folder / "stage" / "held"
        self.held.parent.mkdir()
        self.owners: dict[str, str] = {}  # by process id

    def submit(self, api: Api) -> str:
        self.jobs += 1
        scene = self.scenes / str(self.jobs) / self.scene.name  # another: nothing is taken over
        scene.parent.mkdir()
        shutil.copy(self.scene, scene)
        with Client(api.url) as client:
            return str(client.submit({"scene": str(scene), **REQUEST})["jobID"])

    def ends(self, name: str, api: Api, job: str) -> None:
        """Wait for a job, and look at its products and who did its units."""
        with Client(api.url) as client:
            status = client.wait(job, patience=PATIENCE)
            files = client.download(job, self.folder / name)
        hashes = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files.values()
            if path.suffix == ".tif"
        }
        self.done[name] = {
            "status": status["status"],
            "last error": status.get("lastError"),
            "units by": self.units_by(job),
            "products": hashes,
        }

    def units_by(self, job: str) -> dict[str, int]:
        """How many units of a job each release did."""
        with self.database.connect() as connection:
            rows = connection.execute(
                text("SELECT worker FROM units WHERE job_id = :job AND state = 'done'"),
                {"job": UUID(job)},
            )
            return Counter(self.owners[row.worker.rpartition(":")[2]] for row in rows)

    def started(self, running: ExitStack, release: Release, program: Program) -> None:
        running.enter_context(program)
        self.owners[str(program.pid)] = release.name

    def run(self, old_tree: Path) -> dict[str, Any]:
        with ExitStack() as running:
            postgres = running.enter_context(Postgres(self.folder / "postgres"))
            redis = running.enter_context(Redis(self.folder / "redis"))
            s3 = running.enter_context(S3(self.folder / "s3"))
            self.database = create_engine(postgres.url)
            running.callback(self.database.dispose)
            environment = {
                "GEOGAZE_DATABASE_URL": postgres.url,
                "GEOGAZE_BROKER_URL": redis.url,
                "GEOGAZE_STORAGE": f"s3://{s3.bucket}",
                "GEOGAZE_S3_ENDPOINT": s3.endpoint,
                "GEOGAZE_S3_ACCESS_KEY": s3.access_key,
                "GEOGAZE_S3_SECRET_KEY": s3.secret_key,
                "GEOGAZE_S3_REGION": s3.region,
                "GEOGAZE_SOURCE_FOLDERS": json.dumps([str(self.scenes)]),
                "GEOGAZE_MODEL_FOLDERS": json.dumps([str(self.folder / "models")]),
                "GEOGAZE_DEVICE": "cpu",
                "GEOGAZE_TORCH_THREADS": "1",
                "GEOGAZE_CHUNK_TILES": "16",
                "GEOGAZE_STAGE": str(self.held.parent),
            }
            logs = self.folder / "logs"
            logs.mkdir()
            old = Release("old", old_tree, logs, environment)
            new = Release("new", PROJECT, logs, environment)
            self.up_and_back(running, old, new)
        return self.done

    def up_and_back(self, running: ExitStack, old: Release, new: Release) -> None:
        old.migrate()
        workers = [old.worker(1), old.worker(2)]
        api, dispatcher = old.api(), old.dispatcher()
        for program in (*workers, dispatcher, api):
            self.started(running, old, program)
        self.ends("old alone", api, self.submit(api))

        job = self.submit(api)
        until(lambda: self.units_by(job))
        self.held.touch()  # or the job would be over before the others are there
        new.migrate()
        third, new_api, new_dispatcher = new.worker(3), new.api(), new.dispatcher()
        self.started(running, new, third)
        until(lambda: "worker ready" in third.log_path.read_text())
        self.held.unlink()
        until(lambda: "new" in self.units_by(job))
        workers[0].stop()
        self.started(running, new, new_dispatcher)
        dispatcher.stop()
        self.started(running, new, new_api)
        api.stop()
        later = self.submit(new_api)
        self.ends("in flight", new_api, job)
        self.ends("by the new API, an old worker beside", new_api, later)
        workers[1].stop()
        self.ends("new alone", new_api, self.submit(new_api))

        for program in (third, new_dispatcher, new_api):
            program.stop()
        workers, api, dispatcher = [old.worker(4)], old.api(), old.dispatcher()
        for program in (*workers, dispatcher, api):
            self.started(running, old, program)
        self.ends("old again, on the new tables", api, self.submit(api))


def whose(file: tuple[str, str], alone: dict[str, dict[str, str]]) -> str:
    """Which of the releases makes a file so when it is alone."""
    makers = [release for release, files in alone.items() if files.get(file[0]) == file[1]]
    return " and ".join(makers) or "neither's"


def until(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.2)


def git(*words: str) -> str:
    told = subprocess.run(
        ["git", *words], check=True, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    return told.stdout.strip()


def unpack(commit: str, folder: Path) -> Path:
    """The tree of a commit, below a folder."""
    folder.mkdir()
    archive = folder.parent / "tree.tar"
    git("archive", f"--output={archive}", commit)
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)
    return folder


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--before", help="the older commit")
    parser.add_argument("--side", type=int, default=800, help="of the scene, in pixels")
    chosen = parser.parse_args()
    last = git("log", "-1", "--format=%H", "--", "migrations/versions")
    commit = git("rev-parse", chosen.before or f"{last}^")
    with tempfile.TemporaryDirectory(prefix="geogaze-rolling-") as name:
        base = Path(name)
        (base / "scenes").mkdir()
        make_bundle(base / "models" / "tiny")
        old_tree = unpack(commit, base / "old")
        done = Rolling(base, chosen.side).run(old_tree)
    alone = {name: dict(done[f"{name} alone"]["products"]) for name in ("old", "new")}
    for told in done.values():
        told["products"] = Counter(whose(file, alone) for file in told["products"].items())
    behind = int(git("rev-list", "--count", f"{commit}..HEAD"))
    print(json.dumps({"before": commit[:7], "commits behind": behind, "jobs": done}, indent=2))
    ended = all(told["status"] == "successful" for told in done.values())
    equal = not any(told["products"]["neither's"] for told in done.values())
    mixed = set(done["in flight"]["units by"]) == {"old", "new"}
    return 0 if ended and equal and mixed else 1


if __name__ == "__main__":
    raise SystemExit(main())
