"""Models by name: an operator's bundles, the shipped ones, torchvision's published networks, and
what was registered.

Torchvision's have no folder: their descriptions come from ``torchvision.json``, written by
``geogaze models catalogue``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import structlog

from geogaze.config import Settings
from geogaze.errors import InvalidBundle, UnknownModel
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.registered import Registry

log = structlog.get_logger()

SHIPPED = Path(__file__).parent
DEFAULT_MODEL = "aerial-scenes"


def find_model(
    model: str, settings: Settings, *, allow_path: bool = False, whole: bool = True
) -> Bundle:
    """Describe the model a user named: what :func:`find_bundle` finds, else what is registered.

    A registered one is called ``NAME@VERSION``, however it was named: what keeps that is moved by
    no alias.

    Args:
        model: as there; or a registered model's ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS``.
        settings: whose folders and registry are looked through.
        allow_path: as there.
        whole: whether its files are needed here, or its description alone.

    Raises:
        UnknownModel: nothing has this name.
        InvalidBundle: it cannot be used.
    """
    try:
        return find_bundle(model, settings.model_folders, allow_path=allow_path)
    except UnknownModel as error:
        registry = Registry.of(settings)
        if version := registry.find(model):
            return registry.bundle(version) if whole else registry.description(version)
        known = ", ".join(registry.names())
        raise UnknownModel(f"{error} Registered are: {known or 'none'}.") from error


def is_taken(name: str, settings: Settings) -> bool:
    """Whether a name means a model that is not registered, so that none can be registered by it."""
    return name in _bundle_folders(settings.model_folders) or name in torchvision_catalogue()


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
