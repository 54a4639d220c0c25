"""A static STAC catalogue over folders of results: a document beside them, with relative links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystac

from geogaze.errors import InvalidRequest
from geogaze.outputs import Kind, kind_of

FILE = "catalog.json"
"""What a catalogue is called, in the folder that it describes."""

_ITEM = "item.json"
_KINDS = frozenset({Kind.RESULTS, Kind.COMPARISON})


@dataclass
class Found:
    """Items of results below a folder, by their files, and what was no Item, with why."""

    items: dict[Path, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def find_items(folder: Path) -> Found:
    """All results below a folder, in the order of their paths; hidden folders are left out.

    Raises:
        InvalidRequest: there is no such folder, or no result in it.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder of results.")
    found = Found()
    for path in _candidates(folder):
        try:
            document = json.loads(path.read_bytes())
            _ = document["properties"], document["assets"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            found.faults.append(f"{path} cannot be read as a STAC Item, and is left out: {error!r}")
            continue
        if kind_of(path.parent) in _KINDS:
            found.items[path] = document
    if not found.items:
        raise InvalidRequest(
            f"{folder} holds no results: none of its folders has an {_ITEM} of geogaze's."
        )
    return found


def catalog_of(folder: Path, found: Found, title: str | None = None) -> dict[str, Any]:
    """The catalogue of a folder's results, to lie in it.

    Args:
        folder: where it will lie.
        found: what it has.
        title: its own; by default the folder's name.
    """
    name = folder.resolve().name or "results"
    catalog = pystac.Catalog(
        id=name,
        title=title or name,
        description=f"Where neural networks look: {len(found.items)} results of geogaze.",
    )
    for path, item in found.items.items():
        below = path.relative_to(folder)
        words = [str(item["properties"].get("title", "")), below.parent.as_posix()]
        link = pystac.Link(
            pystac.RelType.ITEM,
            f"./{below.as_posix()}",
            pystac.MediaType.GEOJSON,
            ": ".join(word for word in words if word not in {"", "."}) or name,
        )
        catalog.add_link(link)
    document: dict[str, Any] = catalog.to_dict(include_self_link=False)
    root = {"rel": "root", "href": f"./{FILE}", "type": pystac.MediaType.JSON}
    return {**document, "links": [root, *document["links"]]}


def _candidates(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob(_ITEM)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
