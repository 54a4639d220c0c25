"""The processes of a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from infra.programs import Program


def pool_children(worker: Program) -> list[psutil.Process]:
    """Those that do units."""
    if worker.pid is None:
        return []
    try:
        family = psutil.Process(worker.pid).children(recursive=True)
        return [p for p in family if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []


@contextmanager
def at_rest(workers: Sequence[Program]) -> Iterator[None]:
    """No unit is done meanwhile. Parents are stopped first, so that they start no child."""
    stopped: list[psutil.Process] = []
    try:
        for worker in workers:
            with suppress(psutil.Error):
                parent = psutil.Process(worker.pid)
                parent.suspend()
                stopped.append(parent)
                for child in parent.children(recursive=True):
                    child.suspend()
                    stopped.append(child)
        yield
    finally:
        for process in stopped:
            with suppress(psutil.Error):
                process.resume()
