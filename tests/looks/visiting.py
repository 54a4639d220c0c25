"""Pages in headless Chromium, and jobs for them to show."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from geogaze.config import Settings
from geogaze.demo.scene import write_demo_scene
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
from geogaze.serving import FolderServer
from tests.looks.large_job import write_large_job

SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Leave a picture of a page in the folder that ``LOOKS`` names."""
    folder = Path(os.environ.get("LOOKS", "looks"))
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"page-{name}.png", full_page=whole)


@pytest.fixture(scope="session")
def large_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_large_job(folder, tmp_path_factory.mktemp("scratch"))
    return folder


@contextmanager
def served(folder: Path, **others: Path) -> Iterator[str]:
    """The address of a folder, with others below it."""
    with FolderServer({"": folder, **others}) as server:
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
