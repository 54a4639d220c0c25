"""A job of 40,000 × 40,000 pixels, as its products' own writers leave it; its heat is invented."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.files import file_sha256
from geogaze.grid.canvas import Canvas
from geogaze.grid.rectangles import Division, Rectangle
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.products.facts import JobFacts
from geogaze.products.make.drawing import Picture, Scenery
from geogaze.products.make.drawn import scene_segment
from geogaze.products.make.heat import write_heat
from geogaze.products.make.inputs import Heat, JobInputs
from geogaze.products.make.overlay import write_drawn
from geogaze.products.make.tiles import write_tiles
from geogaze.products.records import JobRecord
from geogaze.products.stac import item_json
from geogaze.products.table import product_named
from geogaze.products.tiles import Tally, Tiles, TileTable, standings

SIDE = 40_000


def write_large_job(folder: Path, scratch: Path) -> None:
    """Write it: heat of 21 classes, backdrop, table of tiles, page and Item."""
    scene = scratch / "scene.tif"
    place = Affine.translation(430_000, 5_410_000) @ Affine.scale(0.3, -0.3)
    shape = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True}
    with rasterio.open(scene, "w", "GTiff", crs="EPSG:32631", transform=place, **shape, **tiled):
        pass  # not a block of it is ever read
    plan = make_plan(ExplainRequest(scene=str(scene), overlap=0), Settings(), local=True)
    job = facts_of(plan)
    assets: dict[str, dict[str, Any]] = {}

    def keep(name: str) -> Path:
        product, layer = product_named(name)
        path = folder / product.file_of(layer)
        assets[name] = {"file": path.name, "type": product.media_type}
        return path

    calibration = {}
    for number, layer in enumerate(job.layers):
        heat = Heat.of(_blobs(number, (job.grid.rows, job.grid.cols)), "job", 4.0)
        write_heat(heat, job.layer(layer), keep(f"heat-{layer}"), scratch)
        calibration[layer] = {"scale": heat.scale, "statistics": heat.statistics}
    write_drawn(partial(_segments, job), job.backdrop, {}, keep("backdrop"))
    table = Tiles(Division(job.tiling.rows, job.tiling.cols, 64), partial(_table, job))
    write_tiles(job, table, keep("tiles"), lambda tiles: None)
    whole = _table(job, (0, 0, job.tiling.rows, job.tiling.cols))
    tally = Tally(job)
    tally.add(whole.top, whole.top_probability, whole.probabilities)
    for asset in assets.values():
        path = folder / asset["file"]
        asset |= {"size": path.stat().st_size, "sha256": file_sha256(path)}
    record = JobRecord("large", 1_790_000_000.0, assets, calibration, [], [])
    standing = standings(job, tally)
    (folder / "item.json").write_text(item_json(job, record, standing))
    _write_page(folder / "index.html", JobInputs)


def _write_page(target: Path, inputs: Any) -> None:
    from geogaze.products.make.page import make

    make(inputs, target)


def _blobs(seed: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Some hot places, as soft and as rare as evidence is; a corner was not looked at."""
    rng = np.random.default_rng(seed)
    values = np.zeros(shape, dtype=np.float32)
    for _ in range(40):
        row, col = rng.integers(20, np.array(shape) - 20)
        values[row, col] = rng.uniform(50, 400)
    values = cv2.GaussianBlur(values, (0, 0), 4) + rng.random(shape, dtype=np.float32) * 0.02
    values = np.clip(values - 0.02, 0, 1).astype(np.float32)
    values[-200:, -200:] = np.nan
    return values


def _segments(job: JobFacts, unit: int) -> list[bytes]:
    top, left, bottom, right = job.backdrop.box
    canvas = Canvas(bottom - top, right - left)
    box = canvas.units.rectangle(unit)
    return [_segment(box[2] - box[0], box[3] - box[1], canvas.level)]


@cache
def _segment(height: int, width: int, level: int) -> bytes:
    """A unit of fields, the same everywhere."""
    rng = np.random.default_rng(1)
    fields = rng.integers(60, 150, (8, 8, 3), dtype=np.uint8)
    image = cv2.resize(fields, (2048, 2048), interpolation=cv2.INTER_NEAREST)
    image = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    part = np.ascontiguousarray(image[:height, :width])
    return scene_segment(Scenery(Picture(part, np.ones(part.shape[:2], dtype=bool)), level))


def _table(job: JobFacts, box: Rectangle) -> TileTable:
    row0, col0, row1, col1 = box
    row, col = (part.ravel() for part in np.mgrid[row0:row1, col0:col1])
    layers = len(job.layers)
    chances = np.abs(np.sin(row * 7.1 + col * 3.3 + np.arange(layers)[:, None])) ** 8
    chances = (chances / chances.sum(axis=0)).astype(np.float32)
    return TileTable(
        row=row,
        col=col,
        valid_fraction=np.ones(len(row), dtype=np.float32),
        top=chances.argmax(axis=0).astype(np.int32),
        top_probability=chances.max(axis=0),
        probabilities=chances,
    )
