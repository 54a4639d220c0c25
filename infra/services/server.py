"""The life of one server: start, wait until it really answers, stop, kill, start again."""

import random
import signal
import socket
import subprocess
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

LOOPBACK = "127.0.0.1"

# Below the range Linux hands out to outgoing connections: while a killed server is down, no other
# program's connection can come to sit on its port.
_PORTS = range(20000, 32000)

_POLL_S = 0.05
_STOP_TIMEOUT_S = 10.0
_LOG_TAIL_LINES = 40


class ServiceError(RuntimeError):
    """A server could not be installed, did not come up or would not go away."""


def hold_port(owner: object) -> int:
    """Picks a free loopback port and keeps it for ``owner`` until that is garbage.

    Test processes that start servers at the same time never get the same port.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        # The UDP port of the same number, of no use to the servers, serves as a lock that every
        # process on the machine can see and that goes away with its holder.
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind((LOOPBACK, port))
        except OSError:
            lock.close()
            continue
        if _is_free(port):
            weakref.finalize(owner, lock.close)
            return port
        lock.close()
    raise ServiceError(f"no free port on {LOOPBACK} between {_PORTS.start} and {_PORTS.stop}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that a killed server left closing are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def log_tail(path: Path) -> str:
    """Returns the last lines of a log, to put into an error message."""
    text = path.read_text(errors="replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:]) or "(empty)"


class Server(ABC):
    """One server process, with its children, that keeps everything in one folder.

    The port is fixed when the object is made, so a client's URL stays good when the server is
    killed and started again.

    Args:
        folder: The server's own folder, made if missing. Data in it is picked up again.
        port: The loopback port to listen on; a free one if not given.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float] = 30.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = hold_port(self) if port is None else port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        """The file that holds what the server wrote, over all its starts."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The id of the main process while it runs, else None."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Starts the server and returns once it answers requests.

        Raises:
            ServiceError: If it runs already, exits, or does not answer in time. The message
                holds the tail of the server's log, and no process is left behind.
        """
        if self.pid is not None:
            raise ServiceError(f"{self.name} runs already as process {self.pid}")
        if not _is_free(self.port):
            # Or what listens there would pass for this server.
            raise ServiceError(f"{self.name}: port {self.port} on {LOOPBACK} is taken")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal must reach the tests, not the server,
            # and a server that signals its process group must not reach the tests.
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Asks the server to shut down cleanly, and kills what is left after a while."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Kills the server and its children with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

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

    @abstractmethod
    def _prepare(self) -> None:
        """Makes what the server needs before it starts; runs before every start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Returns the command that runs the server in the foreground."""

    @abstractmethod
    def _unready(self) -> str | None:
        """Sends the server a real request; returns why it failed, or None if it worked."""

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while (reason := self._unready()) is not None:
            if process.poll() is not None:
                raise self._failure(f"exited with status {process.returncode} while starting")
            if time.monotonic() > deadline:
                raise self._failure(f"not ready after {self.start_timeout_s:.0f} s: {reason}")
            time.sleep(_POLL_S)
        if process.poll() is not None:
            raise self._failure(f"exited, but something else answers on port {self.port}")

    def _failure(self, what: str) -> ServiceError:
        tail = log_tail(self.log_path)
        return ServiceError(f"{self.name}: {what}\n--- {self.log_path}\n{tail}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Children are noted first: once their parent is gone they cannot be found by it. A
        # PostgreSQL backend that outlives its postmaster would keep the next one from starting.
        family: list[psutil.Process] = []
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(how)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_TIMEOUT_S)
        if how != signal.SIGKILL:
            family = _wait_gone(family, _STOP_TIMEOUT_S)
        for child in family:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        if left := _wait_gone(family, _STOP_TIMEOUT_S):
            raise ServiceError(f"{self.name}: still there after SIGKILL: {left}")


def _wait_gone(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + timeout_s
    left = [process for process in processes if _lives(process)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [process for process in left if _lives(process)]
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        # An orphan nobody reaps (a container without an init) stays a zombie for ever.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
