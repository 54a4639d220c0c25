"""Features of a job of a million tiles: how long an answer takes, beside GDAL's own reader.

``python -m tests.benchmarks.features [--side 1000]``; the best of five, in milliseconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import shapely
import structlog

from geogaze.products.make.geopackage import GeoPackageWriter, Layer
from geogaze.products.product import GEOPACKAGE
from tests.unit.api.catalogued import catalogued
from tests.unit.api.featured import with_files
from tests.unit.api.test_assets import made
from tests.unit.api.testing import TestClient, make_app, make_settings

CLASSES = 20
STEP = 30.0
WEST, NORTH = 500_000.0, 5_000_000.0
OWN = "http://www.opengis.net/def/crs/EPSG/0/32631"


def write_tiles(target: Path, side: int) -> None:
    """So many rows and columns of tiles that overlap by half, with twenty probabilities each."""
    columns = {
        **dict.fromkeys(("row", "col"), "INTEGER"),
        "top_class": "TEXT",
        **{f"p_class-{i}": "REAL" for i in range(CLASSES)},
    }
    random = np.random.default_rng(0)
    layer = Layer("tiles", "Tiles and their best classes", columns)
    crs = pyproj.CRS(32631).to_wkt()
    with GeoPackageWriter(target, layer, crs, "EPSG:32631") as file:
        for row in range(side):
            x, y = WEST + np.arange(side) * STEP, NORTH - row * STEP
            values = random.random((side, CLASSES))
            best = values.argmax(axis=1)
            file.add(
                shapely.box(x, y - 2 * STEP, x + 2 * STEP, y),
                ((row, col, f"class-{best[col]}", *values[col].tolist()) for col in range(side)),
            )


def best_of(times: int, ask: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest time, in milliseconds, and what was answered."""
    took, said = [], None
    for _ in range(times):
        started = time.perf_counter()
        said = ask()
        took.append(1e3 * (time.perf_counter() - started))
    return min(took), said


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1000, help="rows and columns of tiles")
    side = parser.parse_args().side
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = make_app(make_settings(folder, folder / "no" / "bundle"))
        services = app.state.services
        job = catalogued(services.ledger, services.storage)
        files = services.ledger.assets(job)["files"]
        files["tiles-gpkg"] = made(services.storage, job, "tiles.gpkg", b"", GEOPACKAGE)
        path = services.storage.path(files["tiles-gpkg"]["key"])
        path.unlink()
        write_tiles(path, side)
        with_files(services.ledger, job, files)
        print(f"{side**2:,} tiles, {path.stat().st_size / 2**20:,.0f} MiB")
        with TestClient(app) as http:
            measure(http, f"/jobs/{job}/features/collections/tiles/items", path, side * STEP)


def measure(http: TestClient, address: str, path: Path, wide: float) -> None:
    """Ask for pages of all, of boxes of each size, and of what filters let pass."""
    print(f"{'asked for':44}{'ms':>8}{'matched':>10}{'came':>7}{'KiB':>7}   GDAL, ms")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("100 of all", {}),
        ("1,000 of all", {"limit": 1000}),
        ("10,000 of all", {"limit": 10_000}),
        ("100 from the middle on", {"after": int(wide / STEP) ** 2 // 2}),
        ("100 by a property", {"row": 7}),
        ("100 by CQL2", {"filter": "\"p_class-3\" > 0.999 AND top_class = 'class-3'"}),
    ]
    for part in (0.01, 0.1, 0.5, 0.9):
        edge = wide * part
        middle = (WEST + wide / 2, NORTH - wide / 2)
        box = [
            middle[0] - edge / 2,
            middle[1] - edge / 2,
            middle[0] + edge / 2,
            middle[1] + edge / 2,
        ]
        query = {"bbox": ",".join(map(str, box)), "bbox-crs": OWN}
        asked.append((f"100 in a box of {part:.0%} of each side", query))
        middle_on = {**query, "after": int(wide / STEP) ** 2 // 2}
        asked.append(("… from the middle on", middle_on))
    for title, query in asked:
        took, answer = best_of(5, lambda query=query: http.get(address, params=query))
        page = answer.json()
        matched = page.get("numberMatched", "")
        gdal = ""
        if "bbox" in query and "after" not in query:
            bbox = tuple(map(float, query["bbox"].split(",")))
            gdal = f"{best_of(5, lambda bbox=bbox: first_of(path, bbox))[0]:8.1f}"
        print(
            f"{title:44}{took:8.1f}{matched!s:>10}{page['numberReturned']:7}"
            f"{len(answer.content) / 1024:7.0f}   {gdal}"
        )


def first_of(path: Path, bbox: tuple[float, ...]) -> int:
    """What GDAL takes for a page of a box, without counting and without GeoJSON."""
    return len(pyogrio.raw.read(path, layer="tiles", bbox=bbox, max_features=100)[2])


if __name__ == "__main__":
    main()
