"""Whole jobs on scenes of the widths at which blocks, overviews and their validators turn.

python -m tests.benchmarks.sizes [WIDTH …]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from geogaze.config import Settings
from geogaze.logs import configure_logging
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
from tests.factories import make_bundle, make_scene

WIDTHS = [
    *(1, 2, *range(255, 258), *range(511, 514), *range(1023, 1027)),
    *(*range(2047, 2053), *range(4095, 4105)),
]


def heights(width: int) -> list[int]:
    """One less, one more, and a portrait's."""
    return sorted({height for height in (width - 1, width + 1, -(-width * 6 // 5)) if height > 0})


def explain(source: Path, bundle: Path, width: int, height: int, folder: Path) -> str | None:
    """Translate, run, and look at what came; what was wrong, or None."""
    scene = folder / "scene.tif"
    size = ["-outsize", str(width), str(height)]
    subprocess.run(["gdal_translate", "-q", *size, str(source), str(scene)], check=True)
    asked = ExplainRequest(
        scene=str(scene), model=str(bundle), classes=["boat"], overlap=0, normalize="job"
    )
    try:
        report = run(asked, folder / "out", Settings(device="cpu"))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    with rasterio.open(report.assets["overlay-boat"]) as overlay:
        if overlay.shape != (height, width):
            return f"the overlay has {overlay.shape}"
        if not (overlay.dataset_mask() == 255).all():
            return "the overlay is masked"
    with rasterio.open(report.assets["heat-boat"]) as heat:
        if not np.isfinite(heat.read(1)).all():
            return "the heat has unknown cells"
    return None


def main() -> None:
    """Print one line of JSON; exit with 1 if a size failed."""
    configure_logging("warning", "console")
    started, failed, done = time.monotonic(), {}, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = make_scene(folder / "source.tif", 1231, 1026)
        bundle = make_bundle(folder / "tiny", classes=("boat", "field"), input_size=224)
        for width in map(int, sys.argv[1:] or WIDTHS):
            for height in heights(width):
                job = folder / "job"
                job.mkdir()
                if wrong := explain(source, bundle, width, height, job):
                    failed[f"{width}x{height}"] = wrong
                done += 1
                shutil.rmtree(job)
                print(f"{width}x{height}: {wrong or 'well'}", file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"sizes": done, "failed": failed, "seconds": seconds}))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
