"""How close is the heat of a shared trunk to that of each tile by itself?

python -m tests.benchmarks.context SCENE … [--overlap F]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.logs import configure_logging
from geogaze.processes.explain.request import Context, ExplainRequest
from geogaze.runner.embedded import run

_CLASSES = ("airplane", "runway", "buildings")


def evidence(scene: Path, overlap: float, context: Context) -> tuple[NDArray[np.float32], float]:
    """Raw evidence (classes, rows, cols) of the shipped model, and seconds."""
    asked = ExplainRequest(
        scene=str(scene),
        classes=_CLASSES,
        overlap=overlap,
        context=context,
        normalize="none",
        overlays=False,
    )
    with tempfile.TemporaryDirectory() as out:
        report = run(asked, Path(out), Settings())
        layers = []
        for name in _CLASSES:
            with rasterio.open(report.assets[f"heat-{name}"]) as dataset:
                layers.append(dataset.read(1))
    return np.stack(layers), report.seconds


def main() -> None:
    """Print one line of JSON per scene."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--overlap", type=float, default=0.5)
    arguments = parser.parse_args()
    configure_logging("error", "console")
    for scene in arguments.scenes:
        tile, tile_s = evidence(scene, arguments.overlap, "tile")
        shared, shared_s = evidence(scene, arguments.overlap, "scene")
        line: dict[str, object] = {"scene": scene.name, "speed_up": round(tile_s / shared_s, 2)}
        for name, one, two in zip(_CLASSES, tile, shared, strict=True):
            seen = np.isfinite(one) & np.isfinite(two)
            heat = [np.maximum(values[seen], 0) for values in (one, two)]
            line[name] = {
                "evidence": round(float(np.corrcoef(one[seen], two[seen])[0, 1]), 4),
                "heat": round(float(np.corrcoef(*heat)[0, 1]), 4),
            }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
