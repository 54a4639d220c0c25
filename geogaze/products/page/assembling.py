"""The page of a job: one HTML file that holds all of its scripts, the same for every job. Pure.

It reads ``item.json`` and the files named there, beside itself. Its own scripts are modules of
JavaScript in ``app``, written as such; here they are put into one, each in a function of its own.
What it has in common with the pages of the service lies in ``shared``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import get_args

from geogaze.products.colormaps import Palette, colour_stops

PAGE = "index.html"
"""The page's name in a job's folder."""

_HERE = Path(__file__).resolve().parent
_APP = _HERE / "app"

SHARED = _HERE / "shared"
"""Styles and scripts of the pages of jobs and of the service."""

LIBRARIES = _HERE / "vendor"
"""Other people's scripts, built for pages; their licences are in them."""

_LIBRARIES = ("geotiff.js", "ol.js")
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\./|\.\./shared/)(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function|async function) ([\w$]+))", re.MULTILINE)


@cache
def page_html() -> str:
    """The page."""
    libraries = (f"<script>{_script(_read(LIBRARIES / n))}</script>" for n in _LIBRARIES)
    parts = {
        "theme": _script(_read(SHARED / "theme.js")),
        "style": _read(SHARED / "look.css") + _read(_APP / "style.css"),
        "colormaps": json.dumps(_colormaps(), separators=(",", ":")),
        "libraries": "\n".join(libraries),
        "modules": _script(_joined(_APP / "main.js")),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read(_APP / "index.html"))


def _colormaps() -> dict[str, list[list[float]]]:
    """Every colour map that an Item's renders may name: position 0..1, red, green, blue, alpha."""
    return {name: [list(stop) for stop in colour_stops(name)] for name in get_args(Palette)}


def _joined(first: Path) -> str:
    """A module with all that it imports, each once, behind what it imports itself."""
    done: dict[Path, str] = {}

    def visit(module: Path) -> None:
        if module in done:
            return
        text = _read(module)
        for _, folder, imported in _IMPORT.findall(text):
            visit((module.parent / folder / f"{imported}.js").resolve())
        done[module] = text

    visit(first)
    return "\n".join(_as_function(module.stem, text) for module, text in done.items())


def _as_function(name: str, text: str) -> str:
    """A module as a constant that holds what it exports."""
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = \3_js;", text)).strip()
    return f"const {name}_js = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"


def _script(text: str) -> str:
    """A script as it may stand in HTML."""
    assert "</script" not in text.lower()
    return text.strip()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
