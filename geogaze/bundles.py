"""What geogaze knows of a model without loading it: the bundle's description.

A bundle is a folder with ``model.safetensors`` and ``item.json``, a STAC Item with the MLM
extension. Planning (and so the API, which has no torch) needs only this description; weights are
loaded by :mod:`geogaze.explain.loading`. Torchvision's published models have no folder: their
descriptions come from ``models/torchvision.json``, written by ``geogaze models catalogue``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geogaze.errors import InvalidBundle, UnknownModel

log = structlog.get_logger()

SHIPPED = Path(__file__).parent / "models"
DEFAULT_MODEL = "aerial-scenes"
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
RESERVED_CLASSES = frozenset({"all", "top"})


class Bundle(BaseModel):
    """A model and all that is needed to use it right.

    ``stride`` and ``first_center`` are pixels of the model's input: activation ``i`` looks at a
    window centred on pixel ``first_center + i * stride``. ``cells`` is the side of the activation
    grid for one input of ``input_size`` pixels. ``halo`` is how far the layer looks beyond a tile,
    in whole strides; None where it looks at the whole input or is inside the network, so that
    tiles cannot share its activations.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    architecture: str
    classes: tuple[str, ...] = Field(min_length=1)
    bands: tuple[str, ...] = ("red", "green", "blue")
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int = Field(gt=0)
    gsd: float | None = Field(default=None, gt=0, description="metres per pixel of training")
    layer: str
    stride: int = Field(gt=0)
    first_center: float
    cells: int = Field(gt=0)
    halo: int | None = Field(default=None, gt=0)
    weights: str = Field(description="sha256:HEX of model.safetensors, or torchvision:FILE")
    folder: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError("bands, mean and std differ in length")
        check_classes(self.classes)
        return self


def check_classes(names: tuple[str, ...]) -> None:
    """Refuse class names that could not be told apart, by name or by file.

    Raises:
        ValueError: says which.
    """
    if len(set(names)) != len(names):
        raise ValueError("class names repeat")
    if len({file_stem(name).casefold() for name in names}) != len(names):
        raise ValueError("class names are too alike to name files after them")
    if taken := RESERVED_CLASSES & set(names):
        raise ValueError(f"class names {sorted(taken)} are reserved")


def file_stem(name: str) -> str:
    """A layer's name as part of a file name: letters, digits, ``_``, ``.`` and ``-`` stay."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "-"


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
    found = []
    for _, folder in sorted(_bundle_folders(folders).items()):
        try:
            found.append(read_bundle(folder))
        except InvalidBundle as error:
            log.warning("bundle left out", folder=str(folder), error=str(error))
    return found


def _bundle_folders(folders: Iterable[Path]) -> dict[str, Path]:
    """Folders of bundles by name: what is found by a name is what is listed, and nothing else."""
    found: dict[str, Path] = {}
    for folder in (*folders, SHIPPED):
        for item in folder.glob("*/item.json"):
            found.setdefault(item.parent.name, item.parent)
    return found


def read_bundle(folder: Path) -> Bundle:
    """Read ``item.json`` of a bundle folder.

    Raises:
        InvalidBundle: not a STAC Item with the MLM extension, or fields are missing.
    """
    try:
        properties = json.loads((folder / "item.json").read_text())["properties"]
        source = properties["mlm:input"][0]
        return Bundle(
            name=folder.resolve().name,  # what a user calls it by
            architecture=properties["mlm:architecture"],
            classes=tuple(c["name"] for c in properties["mlm:output"][0]["classification:classes"]),
            bands=tuple(band["name"] for band in source["bands"]),
            mean=tuple(scaling["mean"] for scaling in source["value_scaling"]),
            std=tuple(scaling["stddev"] for scaling in source["value_scaling"]),
            input_size=source["input"]["shape"][-1],
            gsd=properties.get("gsd"),
            layer=properties["geogaze:layer"],
            stride=properties["geogaze:stride"],
            first_center=properties["geogaze:first_center"],
            cells=properties["geogaze:cells"],
            halo=properties.get("geogaze:halo"),
            weights=f"sha256:{properties['geogaze:sha256']}",
            folder=folder.resolve(),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, ValidationError) as error:
        raise InvalidBundle(
            f"{folder / 'item.json'} does not describe a bundle ({error!r}). "
            "Make one with 'geogaze train' or 'geogaze models import'."
        ) from error


def bundle_item(bundle: Bundle, extra: dict[str, Any]) -> dict[str, Any]:
    """The STAC Item (MLM extension) of a bundle.

    Args:
        bundle: the description; ``weights`` must be a sha256.
        extra: further properties (accuracy, provenance).

    Returns:
        A JSON object that :func:`read_bundle` reads back to an equal description.
    """
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [MLM_SCHEMA],
        "id": bundle.name,
        "geometry": None,
        "properties": {
            "datetime": datetime.now(UTC).isoformat(),
            **({"gsd": bundle.gsd} if bundle.gsd else {}),
            "bands": [{"name": band} for band in bundle.bands],
            "mlm:name": bundle.name,
            "mlm:architecture": bundle.architecture,
            "mlm:framework": "pytorch",
            "mlm:tasks": ["classification"],
            "mlm:input": [
                {
                    "name": "image",
                    "bands": [{"name": band} for band in bundle.bands],
                    "input": {
                        "shape": [-1, len(bundle.bands), bundle.input_size, bundle.input_size],
                        "dim_order": ["batch", "bands", "height", "width"],
                        "data_type": "float32",
                    },
                    "value_scaling": [
                        {"type": "z-score", "mean": mean, "stddev": std}
                        for mean, std in zip(bundle.mean, bundle.std, strict=True)
                    ],
                    "resize_type": None,
                    "pre_processing_function": None,
                }
            ],
            "mlm:output": [
                {
                    "name": "logits",
                    "tasks": ["classification"],
                    "result": {
                        "shape": [-1, len(bundle.classes)],
                        "dim_order": ["batch", "class"],
                        "data_type": "float32",
                    },
                    "classification:classes": [
                        {"value": i, "name": name, "description": name}
                        for i, name in enumerate(bundle.classes)
                    ],
                    "post_processing_function": None,
                }
            ],
            "mlm:hyperparameters": {"input_size": bundle.input_size},
            "geogaze:layer": bundle.layer,
            "geogaze:stride": bundle.stride,
            "geogaze:first_center": bundle.first_center,
            "geogaze:cells": bundle.cells,
            "geogaze:halo": bundle.halo,
            "geogaze:sha256": bundle.weights.removeprefix("sha256:"),
            **extra,
        },
        "assets": {
            "model": {
                "href": "./model.safetensors",
                "type": "application/vnd.safetensors",
                "title": "Weights (half precision)",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors",
                "bands": [{"name": band} for band in bundle.bands],
            }
        },
        "links": [],
    }


@cache
def torchvision_catalogue() -> dict[str, Bundle]:
    """Torchvision's published ImageNet classifiers by architecture name."""
    document = json.loads((SHIPPED / "torchvision.json").read_text())
    classes = tuple(document["classes"])
    return {
        name: Bundle(name=name, architecture=name, classes=classes, **entry)
        for name, entry in document["architectures"].items()
    }


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
