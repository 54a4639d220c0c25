"""Finish a made-up job of any size by the phases themselves, and say what memory it took.

    python -m tests.benchmarks.blocks --cells 1e9

Its tiles are made up, a few different ones: no network runs, and parts take no room. The table of
tiles is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from geogaze.config import Settings
from geogaze.ledger.records import Claim, Part, Skipped
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.part import ChunkTable, store_chunk
from geogaze.runner.phases import Resources, assemble, blend, scale
from geogaze.storage import FolderStorage
from tests.factories import make_scene

_STRIDE, _CELLS = 16, 64


class Parts:
    """A ledger of parts alone, by phase."""

    def __init__(self) -> None:
        self.made: dict[str, list[Part]] = {}

    def parts(self, job: object, phase: str, roots: Collection[int] | None = None) -> list[Part]:
        """Those of a phase, or of some roots."""
        return [part for part in self.made[phase] if roots is None or part.root in roots]

    def skipped(self, job: object) -> list[Skipped]:
        """None."""
        return []


def plan_of(cells: float, folder: Path) -> Plan:
    """A plan of one layer of so many cells, more or less."""
    scene = make_scene(folder / "scene.tif", 300, 300)
    asked = ExplainRequest(scene=str(scene), classes=("airplane",), overlap=0, overlays=False)
    plan = make_plan(asked, Settings(), local=True)
    side = math.isqrt(int(cells)) * _STRIDE
    larger = {
        "scene": plan.scene.model_copy(update={"width": side, "height": side}),
        "bundle": plan.bundle.model_copy(
            update={"stride": _STRIDE, "cells": _CELLS, "input_size": _STRIDE * _CELLS}
        ),
        "chunk_side": 8,
    }
    return Plan.model_validate(plan.model_dump() | larger)


def made_up(plan: Plan, storage: FolderStorage) -> list[Part]:
    """Parts of the explain phase; chunks of one shape share their evidence."""
    random, parts, made = np.random.default_rng(0), [], set()
    for number in range(plan.chunk_count):
        chunk = plan.chunk(number)
        top, left, bottom, right = plan.tiling.chunk_cells(chunk)
        count = len(list(chunk.tiles()))
        prefix = f"made-up/{count}-{bottom - top}-{right - left}/"
        if prefix not in made:
            made.add(prefix)
            whole = np.ones((bottom - top, right - left), np.float32)
            table = ChunkTable.unseen(plan, count, whole)
            table.top[:] = 0
            evidence = random.normal(size=(1, count, _CELLS, _CELLS)).astype(np.float32)
            store_chunk(storage, prefix, table, evidence)
        parts.append(Part(number, None, prefix, {"unreadable": {}, "seen": count, "path": ""}))
    return parts


def finish(cells: float, folder: Path) -> dict[str, Any]:
    """Blend, scale and assemble; cells, seconds by phase, peak memory, and the layer's figures."""
    plan, storage, ledger = plan_of(cells, folder), FolderStorage(folder / "objects"), Parts()
    ledger.made["explain"] = made_up(plan, storage)
    resources = Resources(Settings(), ledger, storage)  # type: ignore[arg-type]
    known = plan.model_dump(mode="json")
    told: dict[str, Any] = {"cells": plan.lattice.rows * plan.lattice.cols, "seconds": {}}
    for name, run, units in (
        ("blend", blend.run, plan.blocks.count),
        ("scale", scale.run, 1),
        ("assemble", assemble.run, 1),
    ):
        began, done = time.monotonic(), []
        for root in range(units):
            prefix = f"{name}/{root}/"
            claim = Claim(uuid4(), uuid4(), name, root, root, None, 1, 0, uuid4(), prefix, known)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                outcome = run(resources, claim, lambda items: None, Path(scratch))
            done.append(Part(root, None, prefix, outcome.result))
        ledger.made[name] = done
        told["seconds"][name] = time.monotonic() - began
    result = ledger.made["assemble"][0].result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return told | {"peak_bytes": peak, "scale": result["scale"], **result["statistics"]}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.blocks", description=__doc__)
    parser.add_argument("--cells", type=float, default=1e9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(finish(asked.cells, Path(folder))))


if __name__ == "__main__":
    main()
