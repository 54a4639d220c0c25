"""A process in which hostile things are looked at, one after the other, and what becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

HANG_SECONDS = 10.0  # of CPU
_ASLEEP_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a file came to: the error's name, ``taken``, ``crash`` or ``hang``; what was said; how
    many seconds of CPU it took, and by how many MB the process grew.
    """

    answer: str
    said: str
    seconds: float
    grown: float = 0.0


class Looking:
    """Looks at files in a child (``python -m tests.hostile.looker``), and starts another when it
    ends. Its working folder, home and scratch lie in ``folder``.
    """

    def __init__(self, folder: Path, storage: Path) -> None:
        self.folder, self._storage = folder, storage
        self.ended = 0
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("work", "home", "scratch"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def at(self, task: dict[str, Any]) -> Outcome:
        """What comes of a task: see :mod:`tests.hostile.looker`."""
        process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        ready = self._waited(process)
        line = process.stdout.readline() if ready else b""
        if not line:
            self.close()
            self.ended += 1
            return Outcome("crash" if ready else "hang", f"{process.returncode}", HANG_SECONDS)
        return Outcome(**json.loads(line))

    def _waited(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it answers before it has worked, or slept, for too long: a machine that has
        much else to do is no hang.
        """
        end = time.monotonic() + _ASLEEP_SECONDS
        busy = psutil.Process(process.pid)
        worked = sum(busy.cpu_times()[:2])
        while time.monotonic() < end:
            if select.select([process.stdout], [], [], 1.0)[0]:
                return True
            with contextlib.suppress(psutil.Error):
                if sum(busy.cpu_times()[:2]) - worked > HANG_SECONDS:
                    return False
        return False

    def strays(self) -> list[str]:
        """Files that lie where nobody was to write."""
        found = [*self.folder.joinpath("work").rglob("*"), *self.folder.joinpath("home").rglob("*")]
        return [str(path.relative_to(self.folder)) for path in found]

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.looker", str(self._storage)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder / "work",
            env={
                **os.environ,
                "PYTHONPATH": str(root),
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder / "scratch"),
            },
        )
        return self._process


@contextlib.contextmanager
def looking(folder: Path, storage: Path) -> Iterator[Looking]:
    one = Looking(folder, storage)
    try:
        yield one
    finally:
        one.close()
