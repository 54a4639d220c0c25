"""The whole system on one machine without containers: ``python -m infra.stack``.

Redis, PostgreSQL, S3, the API, the dispatcher and workers, all on loopback and all in one folder,
whose data the next run picks up. Tests use the same thing::

    with Stack(folder, workers=2) as stack:
        client = Client(stack.api_url)
        stack.workers[0].kill()
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console

from infra.programs import Api, Dispatcher, Worker, command
from infra.services import S3, Postgres, Redis, ServiceError
from infra.services.server import LOOPBACK, log_tail
from infra.watching import Prometheus

_PROJECT = Path(__file__).resolve().parents[1]
_ROLES = _PROJECT / "infra" / "roles.sql"
_CHECK_S = 0.5
_SOURCE_HELP = "where scenes may be read from, besides scenes in --folder"


class Stack:
    """All servers and programs; a context manager that starts and stops them.

    Each of ``postgres``, ``redis``, ``s3``, ``workers``, ``dispatcher`` and ``api`` has ``kill()``
    and ``start()``, for tests that break things.

    Args:
        folder: Holds all data and, in ``logs``, what the programs write.
        port: The API's loopback port; a free one if not given.
        source_folders: Folders that scenes may be read from.
        workers: How many worker processes to start.
        device: Where workers compute: ``cpu``, ``cuda`` or ``auto``.
        environment: ``GEOGAZE_`` variables to add, or to set otherwise than here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        source_folders: Sequence[Path] = (),
        workers: int = 1,
        device: str = "cpu",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self.postgres = Postgres(self.folder / "postgres")
        self.redis = Redis(self.folder / "redis", appendonly=True)
        self.s3 = S3(self.folder / "s3")
        self.environment: dict[str, str] = {
            "GEOGAZE_DATABASE_URL": self.postgres.url,
            "GEOGAZE_BROKER_URL": self.redis.url,
            "GEOGAZE_STORAGE": f"s3://{self.s3.bucket}",
            "GEOGAZE_MODEL_REGISTRY": f"s3://{self.s3.bucket}/models",
            "GEOGAZE_S3_ENDPOINT": self.s3.endpoint,
            "GEOGAZE_S3_ACCESS_KEY": self.s3.access_key,
            "GEOGAZE_S3_SECRET_KEY": self.s3.secret_key,
            "GEOGAZE_S3_REGION": self.s3.region,
            "GEOGAZE_SOURCE_FOLDERS": json.dumps([str(path.resolve()) for path in source_folders]),
            "GEOGAZE_DEVICE": device,
            # Workers that share the CPU must not each take all of it.
            "GEOGAZE_TORCH_THREADS": str(max(1, (os.cpu_count() or 1) // max(1, workers))),
            **(environment or {}),
        }
        api, work = (self._signed_in_as(role) for role in ("geogaze_api", "geogaze_work"))
        self.workers = tuple(
            Worker(self.logs, work, title=f"worker-{number}") for number in range(1, workers + 1)
        )
        self.dispatcher = Dispatcher(self.logs, work)
        self.api = Api(self.logs, api, port=port)
        self._running = ExitStack()

    @property
    def scraped(self) -> dict[str, list[str]]:
        """Where Prometheus finds the programs, by its jobs."""
        return {
            "geogaze-api": [f"{LOOPBACK}:{self.api.port}"],
            "geogaze-dispatcher": [self.dispatcher.metrics],
            "geogaze-worker": [worker.metrics for worker in self.workers],
        }

    @property
    def api_url(self) -> str:
        """The API's address, without a slash at the end."""
        return self.api.url

    def start(self) -> None:
        """Starts everything, brings the database up to date, and waits for the API's health.

        Raises:
            ServiceError: If something does not come up. The message holds the end of its log, and
                nothing is left running.
        """
        with ExitStack() as starting:
            # PostgreSQL first: its lock keeps a second stack out of the same folder.
            for server in (self.postgres, self.redis, self.s3):
                starting.enter_context(server)
            self._migrate()
            for program in (*self.workers, self.dispatcher, self.api):
                starting.enter_context(program)
            self.check()
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stops everything, in the reverse order."""
        self._running.close()

    def check(self) -> None:
        """Sees whether everything still runs.

        Raises:
            ServiceError: If not; the message holds the end of the log.
        """
        for server in (self.postgres, self.redis, self.s3):
            if server.pid is None:
                raise _ended(server.name, server.log_path)
        for program in (*self.workers, self.dispatcher, self.api):
            if program.pid is None:
                raise _ended(program.title, program.log_path)

    def _migrate(self) -> None:
        log_path = self.logs / "migrate.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            done = subprocess.run(
                [command("alembic"), "upgrade", "head"],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_PROJECT,
                env={**os.environ, **self.environment},
            )
        if done.returncode != 0:
            raise _ended(f"alembic (status {done.returncode})", log_path)
        self.postgres.let_in(_ROLES)

    def _signed_in_as(self, role: str) -> dict[str, str]:
        """The environment of a program that has no more of the database than it needs."""
        theirs = {"GEOGAZE_DATABASE_URL": self.postgres.url_of(role)}
        given = self.environment["GEOGAZE_DATABASE_URL"] != self.postgres.url
        return self.environment if given else self.environment | theirs

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _ended(what: str, log_path: Path) -> ServiceError:
    return ServiceError(f"{what} has ended\n--- {log_path}\n{log_tail(log_path)}")


def _announce(console: Console, stack: Stack, scenes: Path, prometheus: str | None = None) -> None:
    console.print("[bold]geogaze is running.[/] Ctrl-C stops it.")
    # Not in a table, which would break what is to be copied.
    places = {"API": stack.api_url, "docs": f"{stack.api_url}/docs", "logs": str(stack.logs)}
    if prometheus:
        places["Prometheus"] = prometheus
    for name, place in places.items():
        console.print(f"{name}:  {place}", markup=False, highlight=False, soft_wrap=True)
    scene = scenes.resolve() / "demo.tif"
    for line in (f"geogaze demo {scene}", f"geogaze submit {scene} --wait --api {stack.api_url}"):
        console.print(line, style="cyan", markup=False, highlight=False, soft_wrap=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not cut the stopping short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Runs geogaze with all its servers in one folder, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m infra.stack", description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("stack"), help="(default: stack)")
    parser.add_argument("--port", type=int, default=8080, help="the API's (default: 8080)")
    parser.add_argument(
        "--source", type=Path, nargs="+", action="extend", metavar="FOLDER", help=_SOURCE_HELP
    )
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (default: cpu)")
    parser.add_argument("--watch", action="store_true", help="have Prometheus look at all of it")
    chosen = parser.parse_args()
    drawn = chosen.folder / "scenes"  # a user's own folders are only read
    drawn.mkdir(parents=True, exist_ok=True)
    sources: list[Path] = [*(chosen.source or ()), drawn]
    if absent := [str(path) for path in sources if not path.is_dir()]:
        parser.error(f"--source: {', '.join(absent)}: no such folder")
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        stack = Stack(
            chosen.folder,
            port=chosen.port,
            source_folders=sources,
            workers=chosen.workers,
            device=chosen.device,
        )
        with ExitStack() as running:
            with console.status("Starting Redis, PostgreSQL, S3 and geogaze …"):
                running.enter_context(stack)
                prometheus = Prometheus(stack.folder / "prometheus", stack.scraped)
                if chosen.watch:
                    running.enter_context(prometheus)
            _announce(console, stack, drawn, prometheus.url if chosen.watch else None)
            while True:
                time.sleep(_CHECK_S)
                stack.check()
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 0
    except ServiceError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
