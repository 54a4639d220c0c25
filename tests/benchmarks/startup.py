"""Small commands whole, from their start to their end: ``python -m tests.benchmarks.startup``.

Each in a process of its own, seconds by the clock and by processors; medians of some turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
import rasterio
from rich.console import Console
from rich.table import Table

from geogaze.demo.scene import write_demo_scene

_GEOGAZE = (sys.executable, "-c", "from geogaze.cli import main; main()")
_SIDE = 224  # pixels of the scene that is one tile


class Run(NamedTuple):
    """``seconds`` by the clock, and ``cpu`` seconds of processors."""

    seconds: float
    cpu: float


def run(command: tuple[str, ...], expected: int) -> Run:
    """Run a command, which ends with the status ``expected``."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    if (code := os.waitstatus_to_exitcode(status)) != expected:
        raise SystemExit(f"{' '.join(command)} ended with {code}, not {expected}.")
    return Run(took, usage.ru_utime + usage.ru_stime)


def commands(
    folder: Path, python: tuple[str, ...]
) -> dict[str, tuple[Callable[[int], tuple[str, ...]], int]]:
    """What is measured: by its name, the command of a turn and the status it ends with."""
    write_demo_scene(folder / "scene.tif", 512, 7)
    with rasterio.open(folder / "scene.tif") as scene:
        whole = scene.read()
        profile = scene.profile | {"width": _SIDE, "height": _SIDE}
    tile, photo = folder / "tile.tif", folder / "photo.png"
    with rasterio.open(tile, "w", **profile) as one:
        one.write(np.ascontiguousarray(whole[:, :_SIDE, :_SIDE]))
    cv2.imwrite(str(photo), np.ascontiguousarray(whole[2::-1].transpose(1, 2, 0)))

    def out(turn: int) -> tuple[str, ...]:
        return "--out", str(folder / f"out-{turn}-{time.monotonic_ns()}")

    def explained(*options: str) -> Callable[[int], tuple[str, ...]]:
        return lambda turn: (*python, "run", str(tile), *out(turn), *options)

    bare = (*python[:-1], "import geogaze")
    return {
        "import geogaze": (lambda turn: bare, 0),
        "a class misspelt": (explained("--classes", "airplan"), 2),
        "geogaze image": (lambda turn: (*python, "image", str(photo), *out(turn)), 0),
        "run, one tile, one class": (explained("--classes", "airplane"), 0),
        "run, one tile, 21 classes": (explained(), 0),
        "run, one tile, 21 overlays": (explained("--overlays", "all"), 0),
    }


def main() -> None:
    """Print a row for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--python", help="the interpreter of another install")
    given = parser.parse_args()
    python = (given.python, *_GEOGAZE[1:]) if given.python else _GEOGAZE
    table = Table("command", "seconds", "least", "most", "CPU s", title="Whole commands")
    with tempfile.TemporaryDirectory(prefix="geogaze-startup-") as folder:
        for name, (command, status) in commands(Path(folder), python).items():
            run(command(-1), status)  # what it reads is in the system's cache then
            runs = [run(command(turn), status) for turn in range(given.turns)]
            seconds = [one.seconds for one in runs]
            figures = (median(seconds), min(seconds), max(seconds), median(r.cpu for r in runs))
            table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
