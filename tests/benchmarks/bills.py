"""How near is a quote to what its job then took?

Some earlier jobs of each model in one ledger, then six kinds of jobs that differ from all of them
in size, overlap, classes or overlays: each is quoted, run in this process, and compared.
Run: ``python -m tests.benchmarks.bills [--json]``
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geogaze.bench.networks import random_bundle
from geogaze.config import Settings
from geogaze.demo.scene import draw_demo_scene, origin, write_cog
from geogaze.ledger.database import connect
from geogaze.ledger.records import JobStatus
from geogaze.ledger.store import Ledger
from geogaze.logs import configure_logging
from geogaze.models.registry import DEFAULT_MODEL
from geogaze.processes.bill import Bill
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.process import EXPLAIN
from geogaze.processes.explain.quote import quote_of
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.local_job import LocalJob
from geogaze.runner.workspace import Workspace

_DRAWN = 2048


@dataclass(frozen=True)
class Kind:
    """A kind of job; ``size`` is the scene's side in pixels, of the model's own size on the
    ground.
    """

    name: str
    model: str = DEFAULT_MODEL
    size: int = 3072
    overlap: float = 0.5
    classes: int = 21
    overlays: str = "none"


EARLIER = [
    Kind("to load the network", size=512),
    Kind("earlier", size=1280),
    Kind("earlier", size=3072, overlap=0.25),
    Kind("earlier", size=2048, classes=2),
    Kind("earlier", size=4096, classes=8),
    Kind("earlier", size=2048, classes=4, overlays="all"),
    Kind("earlier", size=3072, overlap=0.0, classes=12, overlays="all"),
    Kind("earlier", size=1536, overlays="all"),
    Kind("to load the network", "resnet50", size=512),
    Kind("earlier", "resnet50", size=1280, overlap=0.25),
    Kind("earlier", "resnet50", size=2048, overlap=0.0, classes=5),
    Kind("earlier", "resnet50", size=1024),
    Kind("earlier", "resnet50", size=3072, overlap=0.25, classes=12),
]
ASKED = [
    Kind("small scene", size=1536),
    Kind("large scene", size=8192),
    Kind("no overlap", size=6144, overlap=0.0),
    Kind("one class", size=5120, classes=1),
    Kind("overlays of all", size=4096, overlays="all"),
    Kind("ResNet50", "resnet50", size=2560),
]
PRICES = {"price_core_hour": 0.04, "price_gb_month": 0.023}


class Bench:
    """Jobs in one ledger, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._space = Workspace(folder / "space", kept=True)
        self._space.folder.mkdir()
        database = connect(f"sqlite:///{self._space.folder / 'ledger.db'}")
        self._ledger = Ledger(database)
        self._ledger.create_tables()
        self._settings = Settings(device="cpu", **PRICES)
        self._drawn = draw_demo_scene(_DRAWN).image
        self._count = 0

    def run(self, kind: Kind) -> tuple[Any, JobStatus]:
        """A job's quote and, when it has ended, its status."""
        asked = ExplainRequest.parse(
            {
                "scene": str(self._scene(kind.size)),
                "model": self._model(kind.model),
                "overlap": kind.overlap,
                "classes": "all",
                "overlays": kind.overlays,
            }
        )
        if kind.classes < 21:
            names = make_plan(asked, self._settings, local=True).bundle.classes[: kind.classes]
            asked = asked.model_copy(update={"classes": names})
        plan = make_plan(asked, self._settings, local=True)
        alike = {name: getattr(asked, name) for name in EXPLAIN.alike}
        quote = quote_of(plan, self._settings, self._ledger.earlier("explain", alike))
        job = LocalJob(asked, plan, self._settings, self._space, lambda status, tiles: None)
        try:
            return quote, job.finish()
        finally:
            job.close()

    def bill(self, status: JobStatus) -> Bill:
        """What a job took."""
        return Bill.of(status.spent, status.size or 0, self._settings)

    def _model(self, name: str) -> str:
        """The shipped model, or one with random weights."""
        folder = self._folder / name
        if name != DEFAULT_MODEL and not folder.exists():
            random_bundle(folder, name, 21)
        return name if name == DEFAULT_MODEL else str(folder)

    def _scene(self, size: int) -> Path:
        self._count += 1  # each is a scene of its own: nothing is taken over
        repeats = -(-size // _DRAWN)
        image = np.tile(self._drawn, (repeats, repeats, 1))[:size, :size]
        path = self._folder / f"scene-{self._count}.tif"
        write_cog(path, image, origin())
        return path


def measure() -> list[dict[str, Any]]:
    """A row for each kind: quoted and actual seconds of the worker, elapsed seconds, and cost."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="geogaze-bills-") as folder:
        bench = Bench(Path(folder))
        for kind in EARLIER:
            bench.run(kind)
        for kind in ASKED:
            quote, status = bench.run(kind)
            bill = bench.bill(status)
            assert quote.bill
            assert status.started
            assert status.finished
            rows.append(
                {
                    **asdict(kind),
                    "tiles": quote.tiles,
                    "quoted_seconds": quote.bill.worker_seconds,
                    "seconds": bill.worker_seconds,
                    "quoted_elapsed": quote.seconds,
                    "elapsed": status.finished - status.started,
                    "quoted_cost": quote.bill.cost,
                    "cost": bill.cost,
                    "bytes": status.size,
                    "phases": {one.phase: one.seconds for one in status.spent},
                }
            )
    return rows


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    configure_logging("error", "console")
    rows = measure()
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print("| job | tiles | worker s: quoted | actual | off | s: quoted | actual | off | cost off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = [
            *(f"{row['quoted_seconds']:.2f}", f"{row['seconds']:.2f}", _off(row, "seconds")),
            *(f"{row['quoted_elapsed']:.2f}", f"{row['elapsed']:.2f}", _off(row, "elapsed")),
            _off(row, "cost"),
        ]
        print(f"| {row['name']} | {row['tiles']:,} | {' | '.join(cells)} |")


def _off(row: dict[str, Any], what: str) -> str:
    return f"{row[f'quoted_{what}'] / row[what] - 1:+.0%}"


if __name__ == "__main__":
    main()
