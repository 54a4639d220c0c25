"""The page of a job of 40,000 × 40,000 pixels in Chromium: how quickly, how exactly, by keys.

Run by ``make looks``.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.features
from playwright.sync_api import Browser
from shapely.geometry import Point, Polygon

from tests.looks.visiting import Visit, settle

SECONDS, REQUESTS = 1.0, 8
A, B = "airplane", "harbor"


def test_first_heat_is_quick_and_asks_for_little(browser: Browser, address: str) -> None:
    times, counts = [], []
    for _ in range(3):
        visit = Visit(browser, viewport={"width": 1280, "height": 800})
        page = visit.go(address)
        times.append(
            page.evaluate("performance.getEntriesByName('first heat')[0].startTime") / 1000
        )
        until = page.evaluate(
            "[...performance.getEntriesByType('resource')].filter(entry => "
            "entry.startTime < performance.getEntriesByName('first heat')[0].startTime).length"
        )
        counts.append(1 + until)
        settle(page)
        visit.end(address)
    print(f"first heat after {', '.join(f'{t:.2f}' for t in times)} s, {counts} requests")
    assert min(times) <= SECONDS
    assert max(counts) <= REQUESTS


def test_a_hundred_places_have_the_values_of_the_files(
    browser: Browser, address: str, large_job: Path
) -> None:
    rng = np.random.default_rng(3)
    with rasterio.open(large_job / f"heat-{A}.tif") as dataset:
        heat = dataset.read(1)
        hot = np.argwhere(heat > 0.05)
        cells = np.concatenate(
            [rng.choice(hot, 50), rng.integers(0, np.array(heat.shape), (50, 2))]
        )
        inside = cells + rng.uniform(0.05, 0.95, cells.shape)
        places = [dataset.transform @ (col, row) for row, col in inside]
    listed = "\n".join(f"{x:.6f} {y:.6f}" for x, y in places)
    expected = {
        name: subprocess.run(
            ["gdallocationinfo", "-valonly", "-geoloc", str(large_job / f"heat-{name}.tif")],
            input=listed,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for name in (A, B)
    }
    visit = Visit(browser)
    page = visit.go(address)
    equal = 0
    for number, (x, y) in enumerate(places):
        at = f"{x:.6f},{y:.6f}"
        page.evaluate("at => { location.hash = `at=${at}` }", at)
        page.wait_for_function(
            "([x, y]) => document.getElementById('place').dataset.at === `${x},${y}`",
            arg=[float(f"{x:.6f}"), float(f"{y:.6f}")],
        )
        for name, values in expected.items():
            shown = page.get_attribute(f"#place [data-layer='{name}']", "data-value")
            assert np.float32(shown) == np.float32(values[number]) or (
                shown == "NaN" and values[number].lower() == "nan"
            ), (at, name, shown, values[number])
            equal += 1
    print(f"{equal} values of {len(places)} places equal gdallocationinfo's")
    visit.end(address)


def test_hotspots_and_polygons_are_those_of_the_cells(
    browser: Browser, address: str, large_job: Path
) -> None:
    ring = [(432_000, 5_408_500), (437_000, 5_408_900), (436_500, 5_403_000), (432_500, 5_403_500)]
    with rasterio.open(large_job / f"heat-{A}.tif", OVERVIEW_LEVEL=0) as dataset:
        heat, transform = dataset.read(1), dataset.transform
        assert max(heat.shape) <= 1024 < 2 * max(heat.shape)
        within = rasterio.features.geometry_mask(
            [Polygon(ring)], heat.shape, transform, invert=True
        )
    visit = Visit(browser)
    link = ",".join(f"{x},{y}" for x, y in ring)
    page = visit.go(f"{address}#layer={A}&threshold=0.4&polygon={link}")
    page.wait_for_selector("#balance table")
    settle(page)
    count, _ = cv2.connectedComponents((heat >= 0.4).astype(np.uint8), connectivity=4)
    words = page.inner_text("#hotspots")
    assert words.startswith(f"{count - 1} hotspots, "), words
    figure, unit = re.findall(r"([\d.,]+) (km²|m²)", words)[0]
    area = float(figure.replace(",", "")) * (1e6 if unit == "km²" else 1)
    cell = abs(transform.a * transform.e)
    assert area == pytest.approx(np.count_nonzero(heat >= 0.4) * cell, rel=0.02)
    share = float(page.get_attribute(f"#balance [data-layer='{A}']", "data-share") or "nan")
    assert share == pytest.approx(np.nansum(heat[within]) / np.nansum(heat), rel=2e-3)
    visit.end(address)


def test_tiles_are_those_of_the_table(browser: Browser, address: str, large_job: Path) -> None:
    frame = geopandas.read_parquet(large_job / "tiles.parquet")
    visit = Visit(browser)
    page = visit.go(address)
    for number in (0, 777, len(frame) - 1):
        tile = frame.iloc[number]
        middle: Point = tile.geometry.centroid
        page.evaluate("at => { location.hash = `at=${at}` }", f"{middle.x},{middle.y}")
        words = f"in tile {tile.row}, {tile.col}."
        page.wait_for_function(
            "words => document.getElementById('place').innerText.includes(words)", arg=words
        )
        row = page.inner_text(f"#place [data-layer='{A}']").split()
        assert float(row[-1]) == pytest.approx(tile[f"p_{A}"], abs=6e-4)
    visit.end(address)


def test_it_is_used_by_keys_alone(browser: Browser, address: str) -> None:
    visit = Visit(browser)
    page = visit.go(address)
    settle(page)
    layer = "new URLSearchParams(location.hash.slice(1)).get('layer')"
    first = page.evaluate(layer)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map"
    page.keyboard.press("Enter")
    page.wait_for_selector("#place table")
    page.keyboard.press("Escape")
    assert page.is_hidden("#place")
    page.keyboard.press("]")
    second = page.evaluate(layer)
    assert second != first
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == second, "the strip follows"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(layer) not in {first, second}
    page.keyboard.press("4")
    assert page.inner_text("#unit") == "A − B"
    page.keyboard.press("2")
    page.focus("#divider")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute("#divider", "aria-valuenow") == "48"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    visit.end(address)
