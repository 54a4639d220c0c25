"""Does ``compare`` find aircraft that have left, and nothing else?

Three photographs of the drawn scene: one, another of the same (other sensor noise), and another
of it without ten aircraft. What differs between the first two is noise, by which the threshold is
judged; it is the command's own. Run: ``python -m tests.benchmarks.changes``
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import rasterio

from geogaze.comparing.comparison import DEFAULT_LEVEL, Comparison, compare
from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.logs import configure_logging
from geogaze.outputs import results_item
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run

# Airliners that move or stand apart, chosen before any heat was seen; one is cut by the border.
LEFT = frozenset({2, 18, 21, 22, 23, 24, 25, 26, 27, 29})
GSD = 0.34


def explained(folder: Path, name: str, earlier: Path | None = None, **drawn: Any) -> Path:
    """Draw a scene and explain it, on the scale of an earlier one."""
    scene = write_demo_scene(folder / f"{name}.tif", **drawn)
    asked = ExplainRequest.parse(
        {
            "scene": str(scene),
            "classes": ["airplane"],
            "gsd": GSD,
            "overlays": "none",
            "scale_from": results_item(earlier) if earlier else None,
        }
    )
    run(asked, folder / name, Settings())
    return folder / name


def noise(done: Comparison) -> dict[str, float]:
    """How large differences are where nothing has changed."""
    with rasterio.open(done.assets["difference-airplane"]) as layer:
        differences = abs(layer.read(1))
    return {
        "standard_deviation": float(differences.std()),
        "quantile_0.999": float(np.quantile(differences, 0.999)),
        "highest": float(differences.max()),
    }


def places(folder: Path, done: Comparison) -> dict[str, int]:
    """How the places found fall on the outlines of those that have left."""
    outlines = [
        geopandas.read_file(folder / f"{name}.geojson").query("`class` == 'Airplane'")
        for name in ("before", "after")
    ]
    there = set(outlines[1].geometry.to_wkt())
    left = outlines[0][[wkt not in there for wkt in outlines[0].geometry.to_wkt()]]
    found = geopandas.read_file(done.assets["changes"])
    left = left.to_crs(pyproj.CRS(found.crs))
    touched = [found.geometry.intersects(one) for one in left.geometry]
    hits = np.array(touched).reshape(len(left), len(found))
    return {
        "left": len(left),
        "found": int(hits.any(axis=1).sum()),
        "places": len(found),
        "places_elsewhere": int((~hits.any(axis=0)).sum()),
    }


def main() -> None:
    """Draw, explain, compare and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threshold", type=float, default=DEFAULT_LEVEL)
    level = parser.parse_args().threshold
    configure_logging("error", "console")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        before = explained(folder, "before")
        same = explained(folder, "same", before, shot=1)
        after = explained(folder, "after", before, shot=1, absent=LEFT)
        none = compare(before, same, folder / "none", level=level)
        some = compare(before, after, folder / "some", level=level)
        told = {
            "threshold": level,
            "noise": noise(none),
            "changes_in_noise": none.told["classes"]["airplane"]["changes"],
            "changes": some.told["classes"]["airplane"]["changes"],
            **places(folder, some),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
