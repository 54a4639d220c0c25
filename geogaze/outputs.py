"""Where results and bundles may be written: nothing of a user's is replaced unasked.

One rule for all commands: a place that is taken is refused, or, with ``--overwrite``, what the same
kind of command left there is replaced and nothing else. Results and bundles are both folders with
an ``item.json``; its properties tell them apart.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from geogaze.errors import InvalidRequest

AUDIT_FILES = {"audit": "audit.json", "report": "audit.html", "collect": "collect.gpkg"}
"""The file of each product of an audit."""

SO_FAR = "preview-so-far.png"
"""What a run shows while it is at work; it goes with its end, unless that is a sudden one."""

_BUNDLE_FILES = frozenset(
    {"item.json", "model.safetensors", "model.onnx", "evaluation.json", "curves.png"}
    | {"events.out.tfevents.geogaze"}
)


class Kind(StrEnum):
    """What is to be written."""

    RESULTS = "job's results"
    BUNDLE = "model bundle"
    COMPARISON = "comparison"


def check_folder(out: Path, kind: Kind, *, overwrite: bool) -> None:
    """Refuse a folder whose content is not to be replaced.

    Args:
        out: the folder to write; it need not exist.
        kind: what will be written.
        overwrite: whether what the same kind of command left there may be replaced.

    Raises:
        InvalidRequest: it is a file, cannot be looked into, is in use, or holds something else.
    """
    try:
        names = {path.name for path in out.iterdir() if not path.name.startswith(".")} - {SO_FAR}
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be the folder of a {kind}: {error}") from error
    if not names:
        return
    held = kind_of(out)
    # Results come to lie beside other files, a bundle takes the place of the whole folder.
    fits = held in {None, kind}
    if kind is Kind.BUNDLE:
        fits = held is Kind.BUNDLE and names <= _BUNDLE_FILES
    if overwrite and fits:
        return
    what = {
        None: "other files",
        Kind.RESULTS: "results",
        Kind.BUNDLE: "a model bundle",
        Kind.COMPARISON: "a comparison",
    }[held]
    raise InvalidRequest(
        f"{out} already holds {what}; choose another folder"
        f"{', or replace them with --overwrite (in Python: overwrite=True)' if fits else ''}."
    )


def check_file(target: Path, *, overwrite: bool) -> None:
    """Refuse a file that exists.

    Raises:
        InvalidRequest: it does, and is not to be replaced.
    """
    if target.exists() and not overwrite:
        raise InvalidRequest(f"{target} exists; name another file, or replace it with --overwrite.")


def former_products(out: Path, kind: Kind = Kind.RESULTS) -> set[Path]:
    """The files that an earlier run left in a folder, by its item.json; none of anybody else's."""
    if kind_of(out) is not kind:
        return set()
    assets = json.loads((out / "item.json").read_text())["assets"].values()
    names = {"item.json", *(str(asset["href"]).removeprefix("./") for asset in assets)}
    return {out / name for name in names if name == Path(name).name}


def results_item(place: Path) -> dict[str, Any]:
    """The STAC Item of a finished run, by its folder or by the Item's own path.

    Raises:
        InvalidRequest: there are no results.
    """
    folder = place.parent if place.name == "item.json" else place
    if kind_of(folder) is not Kind.RESULTS:
        raise InvalidRequest(
            f"{folder} holds no results: a run's folder has an item.json that describes them."
        )
    item: dict[str, Any] = json.loads((folder / "item.json").read_text())
    return item


def kind_of(folder: Path) -> Kind | None:
    """What a folder's item.json describes, if it has one of ours."""
    try:
        item = json.loads((folder / "item.json").read_text())
        properties, assets = item["properties"], item["assets"]
        if "mlm:name" in properties and assets:
            return Kind.BUNDLE
        if "geogaze:compared" in properties:
            return Kind.COMPARISON
        if "geogaze:model" in properties and all("href" in asset for asset in assets.values()):
            return Kind.RESULTS
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none of ours
    return None
