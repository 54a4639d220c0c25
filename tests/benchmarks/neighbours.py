"""How quick explaining stays beside other work: ``python -m tests.benchmarks.neighbours``.

Workers explain the same tiles again and again, each a process with so many threads, first on an
idle machine, then while other processes keep some of its cores busy.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

_WORK = """
import sys, time
import numpy as np
from geogaze.cores import let_threads_sleep
let_threads_sleep()
from geogaze.config import Settings
from geogaze.evidence.engines import load_engine
from geogaze.evidence.heap import keep_freed_memory
from geogaze.logs import configure_logging
from geogaze.models.registry import find_bundle
model, runtime, threads = sys.argv[1:]
configure_logging("error", "console")
keep_freed_memory()
bundle = find_bundle(model, (), allow_path=True)
engine = load_engine(bundle, Settings(runtime=runtime, torch_threads=int(threads), device="cpu"))
size = bundle.input_size
noise = np.random.default_rng(0).integers(0, 256, (3, 3 * size, 3 * size), dtype=np.uint8)
window = engine.prepare(noise, np.ones_like(noise, dtype=bool), ((0.0, 255.0),))
corners = [(r, c) for r in range(0, 2 * size, size // 3) for c in range(0, 2 * size, size // 3)]
targets = tuple((index, None) for index in range(len(bundle.classes)))
while True:
    for batch in engine.explain_tiles(window, corners, targets):
        print(time.monotonic(), len(batch.tiles), flush=True)
"""
_BUSY = "while True: pass"
_SETTLE = 2.0  # seconds that are not counted after the machine's load has changed


class Crew(NamedTuple):
    """``workers`` processes with ``threads`` threads each, and what runs their trunks."""

    workers: int
    threads: int
    runtime: str


@contextmanager
def processes(count: int, *arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Python processes, killed in the end."""
    command = [sys.executable, "-c", *arguments]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def rate(crew: list[subprocess.Popen[str]], seconds: float) -> float:
    """Tiles a second of all workers together, from now on."""
    begin = time.monotonic() + _SETTLE
    end = begin + seconds
    tiles = 0
    for worker in crew:
        assert worker.stdout
        for line in worker.stdout:
            moment, count = line.split()
            tiles += int(count) * (begin < float(moment) <= end)
            if float(moment) > end:
                break
    return tiles / seconds


def measure(crew: Crew, model: str, busy: list[int], seconds: float) -> list[float]:
    """Tiles a second beside each number of busy processes."""
    with processes(crew.workers, _WORK, model, crew.runtime, str(crew.threads)) as workers:
        for worker in workers:  # they have loaded their network
            assert worker.stdout
            list(itertools.islice(worker.stdout, 3))
        rates = []
        for count in busy:
            with processes(count, _BUSY):
                rates.append(rate(workers, seconds))
        return rates


def main() -> None:
    """Print a row for each crew and runtime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="aerial-scenes")
    parser.add_argument("--runtime", action="append", choices=("openvino", "torch"))
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1], help="other processes")
    parser.add_argument("--seconds", type=float, default=8)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    crews = [(1, cores), (cores, 1), (cores, cores)]
    columns = ["runtime", "workers", "threads each", *(f"{n} busy" for n in given.busy), "share"]
    table = Table(*columns, title=f"{given.model}: tiles/s on {cores} cores beside busy processes")
    for runtime in given.runtime or ("openvino", "torch"):
        for workers, threads in crews:
            crew = Crew(workers, threads, runtime)
            rates = measure(crew, given.model, given.busy, given.seconds)
            share = f"{rates[-1] / rates[0]:.2f}"
            table.add_row(runtime, str(workers), str(threads), *(f"{r:.0f}" for r in rates), share)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
