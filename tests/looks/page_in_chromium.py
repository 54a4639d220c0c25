"""The page of a job in headless Chromium: how quickly, how exactly, how it looks.

Run by ``make looks``. Pictures of its states are left in the folder that ``LOOKS`` names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.features
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from shapely.geometry import Point, Polygon

from geogaze.cli.serving import FolderServer
from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
from tests.factories import ROTATED, make_scene
from tests.looks.large_job import write_large_job

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

PICTURES = Path(os.environ.get("LOOKS", "looks"))
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SECONDS, REQUESTS = 1.0, 8
A, B = "airplane", "harbor"


@pytest.fixture(scope="session")
def large_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_large_job(folder, tmp_path_factory.mktemp("scratch"))
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with FolderServer({"": folder}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def address(large_job: Path) -> Iterator[str]:
    with served(large_job) as url:
        yield url


@pytest.fixture(scope="session")
def airport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The drawn airport, explained by the shipped model."""
    folder = tmp_path_factory.mktemp("airport")
    write_demo_scene(folder / "scene.tif", 2048, 7)
    run(ExplainRequest(scene=str(folder / "scene.tif")), folder / "heat", Settings())
    with served(folder / "heat") as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with playwright.chromium.launch(executable_path=chromium, args=SOFTWARE_GL) as started:
            started.new_page().wait_for_timeout(3000)  # until it has started all of itself
            yield started


class Visit:
    """A page in a context of its own, and all that it asks for and complains of."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, address: str) -> Page:
        self.page.goto(address)
        self.page.wait_for_function("performance.getEntriesByName('first heat').length")
        return self.page

    def end(self, address: str) -> None:
        """Nothing was complained of, and nothing but the folder asked."""
        foreign = [url for url in self.asked if not url.startswith((address, "data:", "blob:"))]
        assert not foreign
        assert not self.complaints
        self.context.close()


def settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2500)  # on two busy cores pictures take their time


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


STATES = {
    "scene": (f"layer={A}&opacity=0", {}),
    "class": (f"layer={B}&threshold=0.5", {"color_scheme": "dark"}),
    "swipe": (f"layer={A}&other={B}&mode=swipe", {}),
    "difference": (f"layer={A}&other={B}&mode=minus", {}),
    "polygon": (
        f"layer={A}&polygon=423690,5712600,424180,5712560,424190,5712160,423690,5712180",
        {},
    ),
    "place": (f"layer={B}&at=423420,5711900&blend=cells", {}),
    "beside": (f"layer={A}&other=storagetanks&mode=beside", {}),
    "phone": (f"layer={A}&threshold=0.3", {"viewport": {"width": 390, "height": 844}}),
}


@pytest.mark.parametrize("state", STATES)
def test_states_are_drawn_and_accessible(browser: Browser, airport: str, state: str) -> None:
    link, options = STATES[state]
    visit = Visit(browser, **{"viewport": {"width": 1280, "height": 800}, **options})
    page = visit.go(f"{airport}#{link}")
    for panel, asked in (("#balance", "polygon"), ("#place", "at")):
        if f"{asked}=" in link:
            page.wait_for_selector(f"{panel} table")
    settle(page)
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"page-{state}.png", full_page=state == "phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is too wide"
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], one["nodes"][0]["html"]) for one in serious]
    visit.end(airport)


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


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jobs of a scene that is turned, in cells of different size."""
    folder = tmp_path_factory.mktemp("turned")
    scene = make_scene(folder / "scene.tif", 900, 1200, transform=ROTATED)
    for name, gsd in (("one", 0.5), ("other", 0.8)):
        asked = ExplainRequest(scene=str(scene), gsd=gsd, overlays="all")
        run(asked, folder / name, Settings())
    return folder


def test_two_jobs_of_a_turned_scene_lie_on_each_other(browser: Browser, turned: Path) -> None:
    item = json.loads((turned / "one" / "item.json").read_text())
    wins = {name: asset.get("geogaze:best_of_tiles", 0) for name, asset in item["assets"].items()}
    layer = max(wins, key=lambda name: wins[name]).removeprefix("heat-")
    with rasterio.open(turned / "one" / f"heat-{layer}.tif") as one:
        row, col = np.unravel_index(np.nanargmax(one.read(1)), one.shape)
        x, y = one.transform @ (col + 0.3, row + 0.6)
    expected = {}
    for name, shown_as in (("one", layer), ("other", f"2: {layer}")):
        with rasterio.open(turned / name / f"heat-{layer}.tif") as heat:
            (expected[shown_as],) = (float(v[0]) for v in heat.sample([(x, y)]))
    assert expected[layer] > 0.5
    with FolderServer({"": turned / "one", "beside": turned / "other"}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        visit = Visit(browser, viewport={"width": 1280, "height": 800})
        other = f"layer={layer}&other=2: {layer}&mode=minus&at={x},{y}"
        page = visit.go(f"{server.url}#job=beside/&{other}")
        page.wait_for_selector("#place table")
        settle(page)
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / "page-turned.png")
        shown = {
            name: float(page.get_attribute(f"#place [data-layer='{name}']", "data-value") or "nan")
            for name in expected
        }
        assert shown == pytest.approx(expected, rel=1e-6)
        visit.end(server.url)
        server.shutdown()
        thread.join()


def test_opened_from_a_disk_it_takes_the_folder(browser: Browser, turned: Path) -> None:
    visit = Visit(browser)
    visit.page.goto((turned / "one" / "index.html").as_uri())
    assert visit.page.is_visible("#from-disk")
    visit.page.set_input_files("#folder", str(turned / "one"))
    visit.page.wait_for_function("performance.getEntriesByName('first heat').length")
    settle(visit.page)
    assert visit.page.inner_text("#title") == "Where aerial-scenes looks"
    visit.end("file:")


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
