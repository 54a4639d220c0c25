"""The page of the service in Chromium: from a form filled by keys to the layers on the map.

Run by ``make looks``. Pictures are left in the folder that ``LOOKS`` names, to be looked at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from tests.looks.visiting import Visit, picture
from tests.unit.api.serving import served
from tests.unit.api.testing import make_app, make_settings
from tests.unit.api.working import work_off

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}}
PATIENCE = 60_000  # ms
expect.set_options(timeout=PATIENCE)  # on two busy cores all takes its time
PART = 2**18  # so that there are several
AREA = ((0.35, 0.35), (0.65, 0.3), (0.7, 0.7), (0.3, 0.6))  # corners as shares of the map
CHUNK_TILES = 8  # so that pictures so far come often


class Service:
    """An API with what a browser and a worker need of it."""

    def __init__(self, settings: Settings, scene: Path, url: str) -> None:
        self.settings, self.scene, self.url = settings, scene, url

    def work(self) -> threading.Thread:
        worker = threading.Thread(target=work_off, args=(self.settings,))
        worker.start()
        return worker


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = make_settings(folder, folder / "models" / "none").model_copy(
        update={"chunk_tiles": CHUNK_TILES, "upload_part_bytes": PART}
    )
    scene = settings.source_folders[0] / "airport.tif"
    write_demo_scene(scene, 1024, 7)
    with served(make_app(settings)) as url:
        yield Service(settings, scene, url)


def check(page: Page, name: str) -> None:
    """A picture of a page that fits its window and that everyone can use."""
    picture(page, f"service-{name}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is too wide"
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in {"serious", "critical"}]
    assert not serious, [(one["id"], one["nodes"][0]["html"]) for one in serious]


def tab_to(page: Page, element: str) -> None:
    """Go on with the keyboard until an element has the focus."""
    for _ in range(80):
        if page.evaluate("wanted => document.activeElement?.matches(wanted)", element):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {element}")


def test_who_has_no_key_is_asked_for_one(browser: Browser, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, tmp_path / "models" / "none").model_copy(
        update={"keys": True}
    )
    app = make_app(settings)
    _, key = Keys(app.state.services.ledger.database).create(
        "anna", tenant="harbour", scopes={Scope.READ}
    )
    with served(app) as url:
        page = browser.new_page(**PHONE)
        page.goto(url)
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.type("geogaze_wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#key-refused")).to_contain_text("There is no such key")
        check(page, "key-refused")
        page.locator("#key").fill(key)
        page.keyboard.press("Enter")
        expect(page.locator("#sign-in")).to_be_hidden()
        expect(page.locator("#none")).to_be_visible()
        page.reload()
        expect(page.locator("#none")).to_be_visible()
        assert key not in page.evaluate("document.cookie")
        check(page, "signed-in")
        page.locator("#sign-out").click()
        expect(page.locator("#key")).to_be_focused()


def test_a_job_by_keys_alone_from_the_form_to_the_map(browser: Browser, service: Service) -> None:
    visit = Visit(browser, **DESK)
    page = visit.page
    page.goto(service.url)
    expect(page.locator("#none")).to_be_visible()
    check(page, "empty")
    expect(page.locator("#ask")).to_be_enabled()
    tab_to(page, "#scene")
    page.keyboard.type(str(service.scene))
    tab_to(page, "[name=which]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    tab_to(page, "#filter")
    page.keyboard.type("air")
    tab_to(page, "#classes input")
    page.keyboard.press("Space")
    tab_to(page, "#ask")
    page.keyboard.press("Enter")
    start = page.locator("#quote button")
    expect(start).to_be_focused()
    check(page, "quote")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*", timeout=PATIENCE)
    expect(page.locator("#state")).to_have_text("accepted")
    check(page, "accepted")
    worker = service.work()
    expect(page.locator("#growing[data-tiles]")).to_be_visible()
    check(page, "running")
    expect(page.locator("#state")).to_have_text("successful", timeout=2 * PATIENCE)
    worker.join()
    viewer = page.frame_locator("iframe")
    expect(viewer.locator("#title")).to_have_text("Where aerial-scenes looks")
    expect(viewer.locator("#strip .layer")).to_have_count(1)
    page.wait_for_timeout(4000)  # the map draws
    check(page, "done")
    page.locator("#files summary").press("Enter")
    assert page.locator("#files li").count() > 5
    page.set_viewport_size(PHONE["viewport"])
    page.wait_for_timeout(2000)
    check(page, "phone-done")
    visit.end(service.url)


def asked_area(page: Page) -> list[list[float]]:
    """The corners of the one polygon that the form asks for."""
    area = json.loads(page.locator("#aoi").input_value())
    assert area["type"] == "Polygon"
    ring: list[list[float]] = area["coordinates"][0]
    return ring


def test_an_area_is_drawn_by_keys_and_by_pointer(browser: Browser, service: Service) -> None:
    visit = Visit(browser, **DESK)
    page = visit.page
    page.goto(service.url)
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("#area")).to_be_hidden()
    page.locator("#scene").fill(str(service.scene))
    page.keyboard.press("Tab")
    expect(page.locator("#area-map canvas").first).to_be_visible()
    page.locator("#ask").press("Enter")
    tiles = page.locator("#quote dd").first
    expect(page.locator("#quote button")).to_be_focused()
    whole = int(tiles.inner_text())
    with Client(service.url) as client:
        outline = client.quote({"scene": str(service.scene)})["footprint"]["coordinates"][0]
    (west, east), (south, north) = ((min(axis), max(axis)) for axis in zip(*outline, strict=True))

    tab_to(page, "#area-written summary")  # by keys alone: four sides
    page.keyboard.press("Enter")
    tab_to(page, "#west")
    across, down = (east - west) / 4, (north - south) / 4
    for side in (west + across, east - across, south + down, north - down):
        page.keyboard.type(f"{side:.7f}")
        page.keyboard.press("Tab")
    expect(tiles).not_to_have_text(str(whole))  # the quote follows
    assert int(tiles.inner_text()) < whole
    assert len(asked_area(page)) == 5
    page.locator("#area").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    check(page, "area")

    box = page.locator("#area-map").bounding_box()
    assert box
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in AREA]
    page.locator("#area-rectangle").click()
    for place in (at[0], at[2]):
        page.mouse.click(*place)
        page.wait_for_timeout(400)
    corners = asked_area(page)
    assert len({lon for lon, _ in corners}) == len({lat for _, lat in corners}) == 2
    assert float(page.locator("#west").input_value()) == min(lon for lon, _ in corners)
    page.locator("#area-polygon").click()
    for place in at[:3]:
        page.mouse.click(*place)
        page.wait_for_timeout(400)
    page.mouse.dblclick(*at[3])
    expect(page.locator("#area-polygon")).to_have_attribute("aria-pressed", "false")
    drawn = asked_area(page)
    assert len(drawn) == 5
    page.mouse.move(*at[0])  # a corner is moved
    page.mouse.down()
    page.mouse.move(at[0][0] + 20, at[0][1] + 20, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    assert sum(one != other for one, other in zip(drawn, asked_area(page), strict=True)) == 2
    check(page, "area-drawn")
    page.locator("#aoi").fill("no area")
    page.locator("#ask").click()
    expect(page.locator("#refused")).to_contain_text("aoi")
    page.locator("#area-clear").press("Enter")
    expect(page.locator("#aoi")).to_have_value("")
    page.set_viewport_size(PHONE["viewport"])
    page.wait_for_timeout(500)
    picture(page, "service-area-phone", whole=True)
    visit.context.close()  # browsers complain of what is refused


def test_a_file_of_ones_own_becomes_the_scene(browser: Browser, service: Service) -> None:
    visit = Visit(browser, **DESK)
    page = visit.page
    page.goto(service.url)
    expect(page.locator("#ask")).to_be_enabled()
    page.route("**/parts/2", lambda route: route.abort(), times=1)
    page.locator("#file").set_input_files(service.scene)
    expect(page.locator("#sent-said")).to_contain_text("Sent")
    check(page, "upload")
    expect(page.locator("#upload")).to_be_hidden()
    scene = page.locator("#scene").input_value()
    assert "uploads/" in scene
    expect(page.locator("#ask")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#quote button")).to_be_focused()
    with Client(service.url) as client:
        assert client.upload(service.scene) == scene, "it is there already"
    page.locator("#file").set_input_files({"name": "a.tif", "mimeType": "", "buffer": b"none"})
    expect(page.locator("#refused")).to_contain_text("cannot be opened as a GeoTIFF")
    visit.context.close()  # browsers complain of what was aborted


def test_cancel_asks_first_and_the_list_follows(browser: Browser, service: Service) -> None:
    with Client(service.url) as client:
        job = client.submit({"scene": str(service.scene), "classes": ["harbor"]})["jobID"]
    visit = Visit(browser, **PHONE, color_scheme="dark")
    page = visit.page
    page.goto(service.url)
    row = page.locator("#list li").first
    expect(row.locator("a")).to_have_text("airport.tif")
    check(page, "phone")
    row.locator("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sure button[autofocus]")).to_be_focused()
    check(page, "sure")
    page.keyboard.press("Escape")
    expect(row.locator(".state")).to_have_text("accepted")
    row.locator("button").press("Enter")
    tab_to(page, "#sure-yes")
    page.keyboard.press("Enter")
    expect(row.locator(".state")).to_have_text("dismissed")
    page.goto(f"{service.url}/jobs/{job}")
    expect(page.locator("#nothing")).to_have_text("Its products are removed.")
    check(page, "phone-job")
    visit.end(service.url)


def test_what_is_refused_is_told_in_the_services_words(browser: Browser, service: Service) -> None:
    visit = Visit(browser, **PHONE)
    page = visit.page
    page.goto(service.url)
    page.locator("#new summary").first.press("Enter")
    page.locator("#scene").fill("https://elsewhere.example/a.tif")
    expect(page.locator("#ask")).to_be_enabled()
    page.locator("#ask").press("Enter")
    expect(page.locator("#refused")).to_contain_text("elsewhere.example")
    check(page, "refused")
    page.goto(f"{service.url}/jobs/nobodys")
    expect(page.locator("#trouble")).to_contain_text("no job")
    visit.context.close()  # browsers complain of every 404
