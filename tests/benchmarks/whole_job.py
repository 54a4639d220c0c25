"""Whole jobs by several versions of geogaze, in turns: python -m tests.benchmarks.whole_job --help.

A job is ``geogaze run`` in a process of its own, from its start to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Run(NamedTuple):
    """Of one job: ``seconds`` by the clock and by processors, and the most ``bytes`` it had."""

    seconds: float
    cpu: float
    bytes: int


def run_job(checkout: Path, scene: Path, options: list[str]) -> Run:
    """Run a job by the code of a checkout."""
    with tempfile.TemporaryDirectory(prefix="geogaze-whole-") as folder:
        command = [sys.executable, "-c", "from geogaze.cli import main; main()", "run", str(scene)]
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--out", f"{folder}/out", "--json", *options],
            env=os.environ | {"PYTHONPATH": str(checkout)},
            cwd=checkout,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
    if status:
        raise SystemExit(f"The job of {checkout} failed ({os.waitstatus_to_exitcode(status)}).")
    return Run(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def main() -> None:
    """Print a table: one row for each checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", type=Path)
    parser.add_argument("checkouts", type=Path, nargs="+", help="folders with a geogaze each")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--option", action="append", default=[], help="of geogaze run")
    given = parser.parse_args()
    scene = given.scene.resolve()
    runs: dict[Path, list[Run]] = {checkout.resolve(): [] for checkout in given.checkouts}
    for turn in range(given.turns):
        for checkout, done in runs.items() if turn % 2 == 0 else reversed(runs.items()):
            done.append(run_job(checkout, scene, given.option))
    table = Table(title=f"{scene.name}: medians of {given.turns} turns")
    for heading in ("checkout", "seconds", "of the first", "CPU seconds", "peak, GiB"):
        table.add_column(heading, justify="left" if heading == "checkout" else "right")
    first = median(run.seconds for run in next(iter(runs.values())))
    for checkout, done in runs.items():
        seconds = median(run.seconds for run in done)
        table.add_row(
            checkout.name,
            f"{seconds:.1f}",
            f"{seconds / first:.2f}",
            f"{median(run.cpu for run in done):.1f}",
            f"{median(run.bytes for run in done) / 2**30:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
