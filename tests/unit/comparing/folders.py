"""Folders of finished jobs, of given values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray

from geogaze.files import file_stem
from tests.factories import NORTH_UP

LATTICE = NORTH_UP @ Affine.scale(32)
"""Cells of 16 m in UTM zone 31N."""

_SAID = {
    "model": "tiny",
    "weights": "1220aa",
    "layer": "features",
    "method": "Grad-CAM",
    "context": "tile",
    "normalize": "job",
}


def finished(
    folder: Path,
    layers: dict[str, NDArray[Any]],
    *,
    transform: Affine = LATTICE,
    crs: str = "EPSG:32631",
    scales: dict[str, float] | None = None,
    **said: str,
) -> Path:
    """Write layers (rows, cols) and the Item that describes them."""
    folder.mkdir()
    assets = {}
    for name, values in layers.items():
        file = f"heat-{file_stem(name)}.tif"
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": float("nan")}
        rows, cols = values.shape
        profile |= {"height": rows, "width": cols, "crs": crs, "transform": transform}
        with rasterio.open(folder / file, "w", **profile) as dataset:
            dataset.write(values.astype("float32"), 1)
        assets[f"heat-{name}"] = {"href": f"./{file}"}
    properties: dict[str, Any] = {
        f"geogaze:{name}": value for name, value in (_SAID | said).items()
    }
    properties["geogaze:scales"] = scales or dict.fromkeys(layers, 2.0)
    properties |= {"datetime": "2026-05-01T00:00:00Z", "gsd": 16.0}
    item = {"id": folder.name, "bbox": [2, 48, 3, 49], "properties": properties, "assets": assets}
    square = {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49], [2, 49], [2, 48]]]}
    (folder / "item.json").write_text(json.dumps(item | {"geometry": square}))
    return folder
