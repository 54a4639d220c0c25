"""The programs of geogaze as servers that are started, killed and started again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import httpx

from infra.services import Server
from infra.services.server import LOOPBACK


def command(name: str) -> str:
    """A command of the virtual environment that this runs in."""
    # Not resolved: a virtual environment's interpreter is a link to one elsewhere.
    return str(Path(sys.executable).parent / name)


class Program(Server):
    """A long-running ``geogaze`` command.

    Without a port to ask it counts as up once it runs; :meth:`infra.stack.Stack.check` tells if it
    dies.

    Args:
        folder: Where it runs and its log goes; programs may share one.
        environment: Variables set besides those it inherits.
        title: What its log is called, if not as the command.
        port: The loopback port it listens on, if it listens.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        title: str | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(folder, port=port)
        self.environment = dict(environment)
        self.title = title or self.name

    @property
    def log_path(self) -> Path:
        """The file that holds what the program wrote, over all its starts."""
        return self.folder / f"{self.title}.log"

    def _prepare(self) -> None:
        """Needs nothing but the folder."""

    def _command(self) -> list[str]:
        # env replaces itself with the program, so process ids and signals are the program's.
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["env", *variables, command("geogaze"), self.name]

    def _unready(self) -> str | None:
        return None


class Api(Program):
    """``geogaze api``, which is up when its health check says so."""

    name: ClassVar[str] = "api"
    start_timeout_s: ClassVar[float] = 90.0

    @property
    def url(self) -> str:
        """The API's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self) -> list[str]:
        return [*super()._command(), "--host", LOOPBACK, "--port", str(self.port)]

    def _unready(self) -> str | None:
        try:
            # Not through a proxy that the environment may name.
            httpx.get(f"{self.url}/health", timeout=5, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            return str(error)
        return None


class Observed(Program):
    """A program whose only port is for Prometheus."""

    @property
    def metrics(self) -> str:
        """Host and port on which it answers Prometheus."""
        return f"{LOOPBACK}:{self.port}"

    def _command(self) -> list[str]:
        env, *rest = super()._command()
        return [env, f"GEOGAZE_METRICS_LISTEN={self.metrics}", *rest]


class Dispatcher(Observed):
    """``geogaze dispatcher``."""

    name: ClassVar[str] = "dispatcher"


class Worker(Observed):
    """``geogaze worker``."""

    name: ClassVar[str] = "worker"
