"""What a tile of heat takes, ours and titiler.core's of the same COG.

``python -m tests.benchmarks.tiles [--rounds 3]``. Both applications answer in this process, one
request after the other, on one thread; besides, ours in the layer's own grid. titiler.core (2.4 or
later) is no dependency: install it beside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from fastapi import FastAPI
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.ledger.states import JobState
from geogaze.ledger.tables import Job
from geogaze.products.make.cog import write_cog
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.ledger.suite import submit

PIXELS, STRIDE, METRES = 20_000, 16, 0.5
BLOCK = 512


def write_heat(folder: Path) -> Path:
    """Heat of a scene of 20,000 × 20,000 pixels: clouds, a fifth of it NaN."""
    cells, rng = PIXELS // STRIDE, np.random.default_rng(1)
    heat = cv2.GaussianBlur(rng.normal(size=(cells, cells)), (0, 0), 6)
    heat = np.clip(heat / heat.max(), 0, 1).astype(np.float32)
    heat[:, : cells // 5] = np.nan
    profile = {"width": cells, "height": cells, "count": 1, "dtype": "float32", "nodata": np.nan}
    place = from_origin(420_000, 5_710_000, STRIDE * METRES, STRIDE * METRES)
    with rasterio.open(
        folder / "plain.tif", "w", "GTiff", crs="EPSG:32631", transform=place, **profile
    ) as dataset:
        dataset.write(heat, 1)
    write_cog(folder / "plain.tif", folder / "heat.tif", block=BLOCK, COMPRESS="DEFLATE")
    return folder / "heat.tif"


def serve_ours(folder: Path, cog: Path) -> tuple[FastAPI, str]:
    """An API with one job that has made this layer, and the path of the layer."""
    (folder / "api").mkdir()
    app = make_app(make_settings(folder / "api", folder / "models" / "none"))
    ledger, storage = app.state.services.ledger, app.state.services.storage
    job = submit(ledger)
    end(ledger, job, JobState.SUCCESSFUL)
    renders = {"heat-x": {"rescale": [[0, 1]], "colormap_name": "inferno"}}
    item = json.dumps({"properties": {"renders": renders}}).encode()
    files = {}
    for name, file, data in (("heat-x", "heat-x.tif", cog.read_bytes()), ("item", "i.json", item)):
        key, sha256 = f"jobs/{job}/{file}", hashlib.sha256(data).hexdigest()
        storage.put(key, data)
        about = {"key": key, "file": file, "size": len(data), "sha256": sha256}
        files[name] = {**about, "type": "image/tiff"}
    with Session(ledger.database) as session, session.begin():
        assets = {"files": files, "skipped": []}
        session.execute(update(Job).where(Job.id == job).values(assets=assets))
    return app, f"/jobs/{job}/layers/heat-x"


def serve_titiler(cog: Path) -> tuple[FastAPI, str]:
    """titiler.core's factory as it comes, and the path of its tiles."""
    from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
    from titiler.core.factory import TilerFactory

    app = FastAPI()
    app.include_router(TilerFactory().router)
    add_exception_handlers(app, DEFAULT_STATUS_CODES)
    drawn = f"url={cog}&rescale=0,1&colormap_name=inferno&resampling=bilinear&reproject=bilinear"
    return app, f"/tiles/WebMercatorQuad/{{}}/{{}}/{{}}.png?{drawn}"


def tiles_within(cog: Path, count: int, top: int) -> list[tuple[int, int, int]]:
    """Random tiles that touch the layer, of all zooms alike."""
    with rasterio.open(cog) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    chosen, dice = [], random.Random(1)
    for number in range(count):
        z = number % (top + 1)
        lon, lat = dice.uniform(west, east), dice.uniform(south, north)
        x = (lon + 180) / 360 * 2**z
        y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z
        chosen.append((z, int(x), int(y)))
    dice.shuffle(chosen)
    return chosen


def cells_within(matrices: list[dict[str, Any]], count: int) -> list[tuple[str, int, int]]:
    """Random tiles of a layer's own grid, of all matrices alike."""
    chosen, dice = [], random.Random(1)
    for number in range(count):
        matrix = matrices[number % len(matrices)]
        row, col = (dice.randrange(matrix[f"matrix{side}"]) for side in ("Height", "Width"))
        chosen.append((matrix["id"], row, col))
    dice.shuffle(chosen)
    return chosen


def measure(app: FastAPI, paths: list[str]) -> dict[str, Any]:
    """Milliseconds of each tile, the first ones of a warm-up left out."""
    with TestClient(app) as http:
        for path in paths[:20]:
            http.get(path).raise_for_status()
        times, started, used = [], time.perf_counter(), time.process_time()
        for path in paths:
            before = time.perf_counter()
            http.get(path).raise_for_status()
            times.append(1000 * (time.perf_counter() - before))
        wall, cpu = time.perf_counter() - started, time.process_time() - used
    p50, p95 = np.percentile(times, (50, 95))
    return {
        "p50": p50,
        "p95": p95,
        "a second": len(paths) / wall,
        "a core's second": len(paths) / cpu,
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cog = write_heat(folder)
        (ours, layer), (theirs, path) = serve_ours(folder, cog), serve_titiler(cog)
        with TestClient(ours) as http:
            top = http.get(f"{layer}/tilejson.json").json()["maxzoom"]
            matrices = http.get(f"{layer}/tileMatrixSets/SceneGrid").json()["tileMatrices"]
        tiles = tiles_within(cog, options.tiles, top)
        cells = cells_within(matrices, options.tiles)
        print(f"{len(tiles)} tiles of zooms 0 to {top}, {cog.stat().st_size / 1e6:.1f} MB")
        web = layer + "/tiles/WebMercatorQuad/{}/{}/{}.png"
        own = layer + "/map/tiles/SceneGrid/{}/{}/{}"
        for _ in range(options.rounds):
            for who, app, paths in (
                ("geogaze", ours, [web.format(*tile) for tile in tiles]),
                ("titiler", theirs, [path.format(*tile) for tile in tiles]),
                ("geogaze, own grid", ours, [own.format(*cell) for cell in cells]),
            ):
                figures = measure(app, paths)
                said = (f"{key} {value:.2f}" for key, value in figures.items())
                print(f"{who:18}", *said, sep="  ", flush=True)


if __name__ == "__main__":
    main()
