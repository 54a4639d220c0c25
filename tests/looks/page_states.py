"""How the page of a job looks, in Chromium: its states, a turned scene, two jobs, from a disk.

Run by ``make looks``. Pictures are left in the folder that ``LOOKS`` names, to be looked at.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from geogaze.comparing.comparison import compare
from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.outputs import results_item
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
from tests.factories import ROTATED, make_scene
from tests.looks.visiting import Visit, picture, served, settle

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

A, B = "airplane", "harbor"

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
    picture(page, state, whole=state == "phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is too wide"
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], one["nodes"][0]["html"]) for one in serious]
    visit.end(airport)


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
    with served(turned / "one", beside=turned / "other") as url:
        visit = Visit(browser, viewport={"width": 1280, "height": 800})
        other = f"layer={layer}&other=2: {layer}&mode=minus&at={x},{y}"
        page = visit.go(f"{url}#job=beside/&{other}")
        page.wait_for_selector("#place table")
        settle(page)
        picture(page, "turned")
        shown = {
            name: float(page.get_attribute(f"#place [data-layer='{name}']", "data-value") or "nan")
            for name in expected
        }
        assert shown == pytest.approx(expected, rel=1e-6)
        visit.end(url)


@pytest.mark.parametrize("link", ["", "mode=swipe&divider=0.55", "mode=beside&at=423460,5712570"])
def test_a_comparison_is_shown_by_the_same_page(
    browser: Browser, changed: tuple[Path, int], link: str
) -> None:
    folder, places = changed
    with served(folder) as url:
        visit = Visit(browser, viewport={"width": 1280, "height": 800})
        page = visit.go(f"{url}#{link}")
        settle(page)
        page.click("#places summary")
        picture(page, f"comparison-{link.partition('&')[0].removeprefix('mode=') or 'change'}")
        assert page.inner_text("#hotspots").startswith(f"{places} changes, ")
        assert page.locator("#places tbody tr").count() == places
        found = Axe().run(page).response["violations"]
        assert not [one for one in found if one["impact"] in {"serious", "critical"}]
        visit.end(url)


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A comparison of the drawn airport with and without three aircraft, and its places."""
    folder = tmp_path_factory.mktemp("changed")
    earlier = None
    for name, absent in (("may", ()), ("june", (22, 23, 24))):
        scene = write_demo_scene(folder / f"{name}.tif", 1024, 7, absent)
        asked = {"scene": str(scene), "classes": ["airplane"], "scale_from": earlier}
        run(ExplainRequest.parse(asked), folder / name, Settings())
        earlier = results_item(folder / name)
    done = compare(folder / "may", folder / "june", folder / "change")
    return folder / "change", sum(done.told["classes"]["airplane"]["changes"].values())


def test_opened_from_a_disk_it_takes_the_folder(browser: Browser, turned: Path) -> None:
    visit = Visit(browser)
    visit.page.goto((turned / "one" / "index.html").as_uri())
    assert visit.page.is_visible("#from-disk")
    visit.page.set_input_files("#folder", str(turned / "one"))
    visit.page.wait_for_function("performance.getEntriesByName('first heat').length")
    settle(visit.page)
    assert visit.page.inner_text("#title") == "Where aerial-scenes looks"
    visit.end("file:")
