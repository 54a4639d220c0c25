"""Is the heat on the object? Airplane heat inside airplane outlines, registered and not.

Enrichment is the share of heat inside the outlines over the outlines' share of the area. Run:
``python -m tests.benchmarks.enrichment ../shared/data/scenes/airport-??.tif``
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize

from geogaze.config import Settings
from geogaze.logs import configure_logging
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run


def enrichment(
    heat: NDArray[np.float32], inside: NDArray[np.bool_], offset: float, stride: int
) -> float:
    """Enrichment of heat (rows, cols) whose first cell starts at ``offset`` pixels."""
    height, width = inside.shape
    # At half pixels, so that cells that start between pixels are cut exactly.
    fine = inside.repeat(2, axis=0).repeat(2, axis=1)
    row = np.floor((np.arange(2 * height) + 0.5 - 2 * offset) / (2 * stride)).astype(int)
    col = np.floor((np.arange(2 * width) + 0.5 - 2 * offset) / (2 * stride)).astype(int)
    spread = np.nan_to_num(heat)[
        np.minimum(row, heat.shape[0] - 1)[:, None], np.minimum(col, heat.shape[1] - 1)[None]
    ]
    return float(spread[fine].sum() / spread.sum() / fine.mean())


def measure(scene: Path, model: str, name: str, overlap: float) -> tuple[float, float]:
    """Enrichment of one scene, registered and with the textbook's placement."""
    with tempfile.TemporaryDirectory() as folder:
        request = ExplainRequest(
            scene=str(scene), model=model, classes=(name,), overlap=overlap, overlays=False
        )
        report = run(request, Path(folder), Settings())
        with rasterio.open(report.assets[f"heat-{name}"]) as layer:
            heat = layer.read(1)
    with rasterio.open(scene) as dataset:
        outlines = geopandas.read_file(scene.with_suffix(".geojson")).to_crs(dataset.crs)
        shape = (dataset.height, dataset.width)
        burnt = rasterize(outlines.geometry, shape, transform=dataset.transform)
    lattice = report.plan.lattice
    inside = burnt.astype(bool)
    registered, textbook = (
        enrichment(heat, inside, offset, lattice.stride) for offset in (lattice.offset, 0.0)
    )
    return registered, textbook


def main() -> None:
    """Measure all scenes given, print a line each and the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--model", default="aerial-scenes")
    parser.add_argument("--name", default="airplane")
    parser.add_argument("--overlap", type=float, default=0.5)
    chosen = parser.parse_args()
    configure_logging("error", "console")
    found = []
    for scene in chosen.scenes:
        found.append(measure(scene, chosen.model, chosen.name, chosen.overlap))
        print(f"{scene.stem}  registered {found[-1][0]:.2f}  textbook {found[-1][1]:.2f}")
    registered, textbook = (statistics.median(side) for side in zip(*found, strict=True))
    print(json.dumps({"scenes": len(found), "registered": registered, "textbook": textbook}))


if __name__ == "__main__":
    main()
