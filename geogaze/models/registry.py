"""Models by name: an operator's bundles, the shipped ones, and torchvision's published networks.

Torchvision's have no folder: their descriptions come from ``torchvision.json``, written by
``geogaze models catalogue``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import structlog

from geogaze.errors import InvalidBundle, UnknownModel
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle

log = structlog.get_logger()

SHIPPED = Path(__file__).parent
DEFAULT_MODEL = "aerial-scenes"


def find_bundle(model: str, folders: Iterable[Path] = (), *, allow_path: bool = False) -> Bundle:
    """Describe the model a user named.

    Args:
        model: a bundle's name, a torchvision architecture, or, if ``allow_path``, a folder.
        folders: an operator's folders of bundles, looked through before the shipped one.
        allow_path: whether ``model`` may be a path (the command line's user is the operator).

    Raises:
        UnknownModel: nothing has this name.
        InvalidBundle: the folder is there but cannot be used.
    """
    if allow_path and (Path(model) / "item.json").is_file():
        return read_bundle(Path(model))
    if folder := _bundle_folders(folders).get(model):
        return read_bundle(folder)
    if model in (catalogue := torchvision_catalogue()):
        return catalogue[model]
    known = ", ".join(sorted(_bundle_folders(folders)))
    raise UnknownModel(
        f"No model {model[:80]!r}: it is neither a bundle ({known}), "
        f"nor a torchvision architecture such as 'vgg16' or 'resnet50'"
        f"{', nor a folder with an item.json' if allow_path else ''}."
    )


def list_bundles(folders: Iterable[Path] = ()) -> list[Bundle]:
    """Bundles in an operator's folders and the shipped one, by name; broken ones are logged."""
    bundles = []
    for _, folder in sorted(_bundle_folders(folders).items()):
        try:
            bundles.append(read_bundle(folder))
        except InvalidBundle as error:
            log.warning("bundle left out", folder=str(folder), error=str(error))
    return bundles


def _bundle_folders(folders: Iterable[Path]) -> dict[str, Path]:
    """Folders of bundles by name: what is found by a name is what is listed, and nothing else."""
    by_name: dict[str, Path] = {}
    for folder in (*folders, SHIPPED):
        for item in folder.glob("*/item.json"):
            by_name.setdefault(item.parent.name, item.parent)
    return by_name


@cache
def torchvision_catalogue() -> dict[str, Bundle]:
    """Torchvision's published ImageNet classifiers by architecture name."""
    document = json.loads((SHIPPED / "torchvision.json").read_text())
    classes = tuple(document["classes"])
    return {
        name: Bundle(name=name, architecture=name, classes=classes, **entry)
        for name, entry in document["architectures"].items()
    }
