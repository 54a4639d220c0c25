"""An audit's report in Chromium, from disk: alone, without complaint, at desk and phone width.

Run by ``make looks``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.looks.visiting import Visit, picture


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of airplanes on the drawn airport, by the shipped model."""
    folder = tmp_path_factory.mktemp("audit")
    for words in (
        "demo scene.tif",
        "audit scene.tif --class airplane --by class --tiles 4 -o report",
    ):
        command = [Path(sys.executable).with_name("geogaze"), *words.split()]
        subprocess.run(command, cwd=folder, check=True)
    return folder / "report" / "audit.html"


@pytest.mark.parametrize(("name", "width"), [("desk", 1280), ("phone", 390), ("small", 360)])
def test_the_report_is_whole_by_itself(
    browser: Browser, report: Path, name: str, width: int
) -> None:
    visit = Visit(browser, viewport={"width": width, "height": 844})
    visit.page.goto(report.as_uri())
    assert "airplane" in visit.page.inner_text(".verdict").lower()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    picture(visit.page, f"audit-{name}", whole=True)
    assert visit.asked == [report.as_uri()]
    visit.end(report.as_uri())
