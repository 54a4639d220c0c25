"""A job's page in Chromium while the job runs: what it shows when, and pictures on the way."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue
from threading import Event

from playwright.sync_api import Page, sync_playwright

from tests.looks.visiting import SOFTWARE_GL, picture

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}}
_PATIENCE = 900_000  # ms
_SETTLED = 5000  # ms until the map of layers is drawn

# Keeps when a map of so many tiles was drawn, in milliseconds since 1970.
_KEEP = """() => {
  window.drawn = [];
  const note = () => drawn.push([Date.now(), Number(growing.dataset.tiles ?? 0)]);
  new MutationObserver(note).observe(growing, { attributeFilter: ["data-tiles"] });
  note();
}"""

Seen = list[tuple[float, int]]
"""Moments of ``time.monotonic``, and how many tiles were on the map then."""


@contextmanager
def page_open(tiles: int) -> Iterator[tuple[Callable[[str], None], Future[Seen]]]:
    """A browser, started: what shows it a job's address, and what its page then shows until the
    job of so many tiles has succeeded. It leaves pictures of start, half, end and of a phone.
    """
    addresses, started = Queue[str](), Event()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(_watch, addresses, started, tiles)
        watching.add_done_callback(lambda _: started.set())  # also of one that does not start
        started.wait()
        yield addresses.put, watching


def _watch(addresses: Queue[str], started: Event, tiles: int) -> Seen:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SOFTWARE_GL)
        page = browser.new_page(**DESK)
        page.set_default_timeout(_PATIENCE)
        started.set()
        address = addresses.get()
        page.goto(address)
        page.evaluate(_KEEP)
        _on_map(page, 1)
        picture(page, "growing-start")
        _on_map(page, tiles // 2)
        picture(page, "growing-half")
        phone = browser.new_page(**PHONE)
        phone.goto(address)
        _on_map(phone, 1)
        picture(phone, "growing-phone", whole=True)
        phone.close()
        page.wait_for_selector("iframe")
        since = time.time() - time.monotonic()
        drawn = page.evaluate("drawn")
        page.wait_for_timeout(_SETTLED)
        picture(page, "growing-end")
        browser.close()
    return [(ms / 1000 - since, count) for ms, count in drawn]


def _on_map(page: Page, tiles: int) -> None:
    page.wait_for_function("tiles => Number(growing.dataset.tiles ?? 0) >= tiles", arg=tiles)
