"""The page of a job is one file, of which nothing leads elsewhere."""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from geogaze.products import page
from geogaze.products.colormaps import Palette, colour_stops
from geogaze.products.page.assembling import page_html

FOLDER = Path(page.__file__).parent
LIBRARIES = sorted((FOLDER / "vendor").iterdir())
ROOT = Path(__file__).parents[3]


class Elements(HTMLParser):
    """All of a page's elements, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def elements() -> Elements:
    return Elements(page_html())


def test_nothing_of_the_page_is_elsewhere(elements: Elements) -> None:
    links = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in {"src", "href", "action"}
    ]
    assert sorted(filter(None, links)) == ["data:,"]
    own = re.sub(r"https://…", "", page_html())
    for library in LIBRARIES:
        assert library.read_text().strip() in own
        own = own.replace(library.read_text().strip(), "")
    assert "http" not in own.replace("https?:", "")
    assert "{{" not in own, "a part is missing"


def test_all_modules_are_in_it_each_behind_what_it_needs(elements: Elements) -> None:
    *libraries, modules = elements.scripts[3:]
    assert len(libraries) == len(LIBRARIES)
    assert not re.search(r"^(import|export)\b", modules, re.MULTILINE)
    order = re.findall(r"^const (\w+)_js = \(\(\) => \{$", modules, re.MULTILINE)
    named = [path for part in ("app", "shared") for path in (FOLDER / part).glob("*.js")]
    written = [path for path in named if path.stem != "theme"]  # which runs before them
    assert sorted(order) == sorted(path.stem for path in written)
    for path in written:
        text = path.read_text()
        assert text.startswith("// "), f"{path.name} does not say what it is"
        assert len(text.splitlines()) <= 320
        needed = re.findall(r'^import .* from "\.\S*/(\w+)\.js";$', text, re.MULTILINE)
        assert all(order.index(name) < order.index(path.stem) for name in needed)


def test_its_colours_are_those_of_all_pictures(elements: Elements) -> None:
    maps = json.loads(elements.scripts[2])
    assert set(maps) == set(get_args(Palette))
    assert maps["turbo"] == [list(stop) for stop in colour_stops("turbo")]


def test_scripts_are_small_and_of_known_licences() -> None:
    packed = gzip.compress(page_html().encode())
    assert len(packed) < 520_000
    notice = (ROOT / "NOTICE").read_text()
    for library in LIBRARIES:
        head = library.read_text().partition("*/")[0]
        packages = re.findall(r"^(?:@\w+/)?([a-z][\w-]*) (\d[\w.-]*), ", head, re.MULTILINE)
        assert packages
        for name, version in packages:
            known = {"ol": "OpenLayers", "geotiff": "geotiff.js"}.get(name, name)
            assert f"{known} {version}" in re.sub(r"\s+", " ", notice)
