"""Small scenes and bundles, made where a test needs them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

NORTH_UP = Affine.translation(430_000, 5_410_000) @ Affine.scale(0.5, -0.5)
"""Half a metre per pixel in UTM zone 31N."""

ROTATED = Affine.translation(430_000, 5_410_000) @ Affine.rotation(17) @ Affine.scale(0.5, -0.5)


def make_values(
    height: int, width: int, *, bands: int = 3, dtype: str = "uint8", seed: int = 0
) -> NDArray[Any]:
    """Smooth random texture (bands, height, width) over most of the dtype's range."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((bands, height // 16 + 2, width // 16 + 2))
    fine = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    values = 0.8 * fine + 0.2 * rng.random((bands, height, width))
    if dtype.startswith("float"):
        return values.astype(dtype)
    # Zero stays free for nodata.
    return (1 + values * (np.iinfo(dtype).max - 1)).astype(dtype)


def write_scene(
    path: Path,
    values: NDArray[Any],
    *,
    transform: Affine = NORTH_UP,
    crs: str | None = "EPSG:32631",
    **profile: Any,
) -> Path:
    """Write values (bands, height, width) as a tiled GeoTIFF."""
    bands, height, width = values.shape
    options: dict[str, Any] = {
        "driver": "GTiff",
        "count": bands,
        "height": height,
        "width": width,
        "dtype": values.dtype,
        "crs": crs,
        "transform": transform,
        **({"tiled": True, "blockxsize": 64, "blockysize": 64} if min(height, width) >= 64 else {}),
        **profile,
    }
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(values)
    return path


def make_scene(path: Path, height: int = 200, width: int = 260, **options: Any) -> Path:
    """A small textured scene."""
    seed = options.pop("seed", 0)
    bands, dtype = options.pop("bands", 3), options.pop("dtype", "uint8")
    return write_scene(
        path, make_values(height, width, bands=bands, dtype=dtype, seed=seed), **options
    )


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of the run's: whichever of pytest's processes asks first makes it.

    For what takes seconds to make and nobody changes. Its last part is ``name``.
    """
    base = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    whole = base / "made-once" / name
    whole.parent.mkdir(exist_ok=True)
    with whole.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = whole.with_suffix(".done")
        if not done.exists():
            make(whole)
            done.touch()
    return whole


def make_bundle(
    folder: Path,
    *,
    architecture: str = "shufflenet_v2_x0_5",
    classes: tuple[str, ...] = ("boat", "field", "road"),
    input_size: int = 64,
    seed: int = 0,
    graph: bool = False,
) -> Path:
    """A bundle with random weights: small, quick, and with a real network's geometry.

    Without a graph, as tracing takes seconds.
    """
    import torch

    from geogaze.networks.architectures import build
    from geogaze.networks.bundling import write_bundle

    torch.manual_seed(seed)
    model = build(architecture, len(classes), initialise=True)
    write_bundle(
        model,
        folder,
        architecture=architecture,
        classes=classes,
        input_size=input_size,
        gsd=0.5,
        graph=graph,
    )
    return folder
