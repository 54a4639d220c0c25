"""The whole system on one machine without containers: ``python -m infra.stack``.

Redis, PostgreSQL, S3, the API, the dispatcher and workers, all on loopback and all in one folder,
whose data is picked up again by the next run. Tests use the same thing::

    with Stack(folder, workers=2) as stack:
        httpx.post(f"{stack.api_url}/processes/explain/execution", json=request)
        stack.workers[0].kill()
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from infra.services import S3, Postgres, Redis, Server, ServiceError
from infra.services.server import LOOPBACK, log_tail

_PROJECT = Path(__file__).resolve().parents[1]
_HEALTH_TIMEOUT_S = 5.0


class Program(Server):
    """A long-running ``geogaze`` command.

    Without a port to ask it counts as up once it runs; :meth:`Stack.check` tells if it dies.

    Args:
        folder: Where it runs and its log goes; programs may share one.
        environment: Variables set besides those it inherits.
        log: The log's name, if not the command's.
        port: The loopback port it listens on, if it listens.
    """

    command: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        log: str | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(folder, port=port)
        self.environment = dict(environment)
        self._log = log or self.name

    @property
    def log_path(self) -> Path:
        """The file that holds what the program wrote, over all its starts."""
        return self.folder / f"{self._log}.log"

    def _prepare(self) -> None:
        """Needs nothing but the folder."""

    def _command(self) -> list[str]:
        # env replaces itself with the program, so process ids and signals are the program's.
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["env", *variables, _program("geogaze"), *self.command]

    def _unready(self) -> str | None:
        return None


class Api(Program):
    """``geogaze api``; up when its health check says so."""

    name: ClassVar[str] = "api"
    command: ClassVar[tuple[str, ...]] = ("api",)

    @property
    def url(self) -> str:
        """The API's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self) -> list[str]:
        return [*super()._command(), "--host", LOOPBACK, "--port", str(self.port)]

    def _unready(self) -> str | None:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=_HEALTH_TIMEOUT_S):
                return None
        except (OSError, urllib.error.URLError) as error:
            return str(error)


class Dispatcher(Program):
    """``geogaze dispatcher``."""

    name: ClassVar[str] = "dispatcher"
    command: ClassVar[tuple[str, ...]] = ("dispatcher",)


class Worker(Program):
    """``geogaze worker``."""

    name: ClassVar[str] = "worker"
    command: ClassVar[tuple[str, ...]] = ("worker",)


class Stack:
    """All servers and programs; a context manager that starts and stops them.

    Each of ``redis``, ``postgres``, ``s3``, ``api``, ``dispatcher`` and ``workers`` has ``kill()``
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
        # PostgreSQL is first, as its lock keeps a second stack out of the same folder.
        self.postgres = Postgres(self.folder / "postgres")
        self.redis = Redis(self.folder / "redis", appendonly=True)
        self.s3 = S3(self.folder / "s3")
        self.environment: dict[str, str] = {
            "GEOGAZE_DATABASE_URL": self.postgres.url,
            "GEOGAZE_BROKER_URL": self.redis.url,
            "GEOGAZE_STORAGE": f"s3://{self.s3.bucket}",
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
        self.api = Api(self.logs, self.environment, port=port)
        self.dispatcher = Dispatcher(self.logs, self.environment)
        self.workers = tuple(
            Worker(self.logs, self.environment, log=f"worker-{number}")
            for number in range(1, workers + 1)
        )
        self._running = ExitStack()

    @property
    def api_url(self) -> str:
        """The API's address, without a slash at the end."""
        return self.api.url

    @property
    def servers(self) -> tuple[Server, ...]:
        """Everything that runs, in the order it is started."""
        return (
            *(self.postgres, self.redis, self.s3),
            *(*self.workers, self.dispatcher, self.api),
        )

    def start(self) -> None:
        """Starts everything, brings the database up to date, and waits for the API's health.

        Raises:
            ServiceError: If something does not come up. The message holds the end of its log, and
                nothing is left running.
        """
        with ExitStack() as starting:
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
        for server in self.servers:
            if server.pid is None:
                raise _ended(server.log_path.stem, server.log_path)

    def _migrate(self) -> None:
        log_path = self.logs / "migrate.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            done = subprocess.run(
                [_program("alembic"), "upgrade", "head"],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_PROJECT,
                env={**os.environ, **self.environment},
            )
        if done.returncode != 0:
            raise _ended("alembic upgrade head", log_path)

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


def _program(name: str) -> str:
    # Not resolved: in a virtual environment the interpreter is a link to one elsewhere.
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    from infra.stack_command import main

    sys.exit(main())
