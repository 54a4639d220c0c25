"""A bundle on disk: a folder with ``model.safetensors`` and ``item.json``, a STAC Item (MLM)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from geogaze.errors import InvalidBundle
from geogaze.models.bundles import GRAPH_FILE, ITEM_FILE, WEIGHTS_FILE, Bundle

_SEGMENTATION = "semantic-segmentation"
_NO_BUNDLE = (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError, ValidationError)
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"


def read_bundle(folder: Path) -> Bundle:
    """Read ``item.json`` of a bundle folder.

    Raises:
        InvalidBundle: not a STAC Item with the MLM extension, or fields are missing.
    """
    try:
        text = (folder / ITEM_FILE).read_text()
    except (OSError, ValueError) as error:
        raise _no_bundle(folder / ITEM_FILE, error) from error
    # The folder's name is what a user calls it by.
    return described(text, folder.resolve().name, folder.resolve(), told=folder / ITEM_FILE)


def described(text: str | bytes, name: str, folder: Path | None, *, told: object) -> Bundle:
    """The bundle that the text of an ``item.json`` describes.

    Args:
        text: all of it.
        name: the bundle's.
        folder: where its files are; None where they do not lie here.
        told: how messages call the text.

    Raises:
        InvalidBundle: as :func:`read_bundle`.
    """
    try:
        item = json.loads(text)
        properties = item["properties"]
        source = properties["mlm:input"][0]
        return Bundle(
            name=name,
            architecture=properties["mlm:architecture"],
            classes=tuple(c["name"] for c in properties["mlm:output"][0]["classification:classes"]),
            bands=tuple(band["name"] for band in source["bands"]),
            mean=tuple(scaling["mean"] for scaling in source["value_scaling"]),
            std=tuple(scaling["stddev"] for scaling in source["value_scaling"]),
            rescale=properties.get("geogaze:rescale"),
            stripped=properties.get("geogaze:stripped"),
            features=properties.get("geogaze:features"),
            labels_pixels=_SEGMENTATION in properties.get("mlm:tasks", ()),
            input_size=source["input"]["shape"][-1],
            gsd=properties.get("gsd"),
            module=properties["geogaze:layer"],
            stride=properties["geogaze:stride"],
            first_center=properties["geogaze:first_center"],
            cells=properties["geogaze:cells"],
            halo=properties.get("geogaze:halo"),
            probabilities=properties.get("geogaze:probabilities", "softmax"),
            temperature=properties.get("geogaze:temperature", 1),
            weights=f"sha256:{properties['geogaze:sha256']}",
            graph=_graph(item),
            proof=item.get("assets", {}).get("graph", {}).get("geogaze:proof"),
            folder=folder,
        )
    except _NO_BUNDLE as error:
        raise _no_bundle(told, error) from error


def _no_bundle(told: object, error: Exception) -> InvalidBundle:
    return InvalidBundle(
        f"{told} does not describe a bundle ({error!r}). "
        "Make one with 'geogaze train' or 'geogaze models import'."
    )


def _graph(item: dict[str, Any]) -> str | None:
    """The checksum of the exported graph, which few bundles had before there was one."""
    graph = item.get("assets", {}).get("graph")
    return f"sha256:{graph['geogaze:sha256']}" if graph else None


def bundle_item(bundle: Bundle, extra: dict[str, Any]) -> dict[str, Any]:
    """The STAC Item (MLM extension) of a bundle.

    Args:
        bundle: the description; ``weights`` must be a sha256.
        extra: further properties (accuracy, provenance).

    Returns:
        A JSON object that :func:`read_bundle` reads back to an equal description.
    """
    task = _SEGMENTATION if bundle.labels_pixels else "classification"
    places = [-1, -1] if bundle.labels_pixels else []
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
            "mlm:tasks": [task],
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
                    "tasks": [task],
                    "result": {
                        "shape": [-1, len(bundle.classes), *places],
                        "dim_order": ["batch", "class", *(("height", "width") if places else ())],
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
            "geogaze:layer": bundle.module,
            "geogaze:stride": bundle.stride,
            "geogaze:first_center": bundle.first_center,
            "geogaze:cells": bundle.cells,
            "geogaze:halo": bundle.halo,
            "geogaze:probabilities": bundle.probabilities,
            **({"geogaze:temperature": bundle.temperature} if bundle.temperature != 1 else {}),
            **({"geogaze:rescale": bundle.rescale} if bundle.rescale else {}),
            **({"geogaze:stripped": bundle.stripped} if bundle.stripped else {}),
            **({"geogaze:features": bundle.features} if bundle.features else {}),
            "geogaze:sha256": bundle.weights.removeprefix("sha256:"),
            **extra,
        },
        "assets": {
            "model": {
                "href": f"./{WEIGHTS_FILE}",
                "type": "application/vnd.safetensors",
                "title": "Weights",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors",
                "bands": [{"name": band} for band in bundle.bands],
            },
            **({"graph": _graph_asset(bundle)} if bundle.graph else {}),
        },
        "links": [],
    }


def _graph_asset(bundle: Bundle) -> dict[str, Any]:
    assert bundle.graph
    return {
        "href": f"./{GRAPH_FILE}",
        "type": "application/octet-stream; framework=onnx",
        "title": "The network as a graph: logits, and evidence of every class",
        "roles": ["mlm:model"],
        "mlm:artifact_type": "onnx",
        "geogaze:sha256": bundle.graph.removeprefix("sha256:"),
        **({"geogaze:proof": bundle.proof.model_dump()} if bundle.proof else {}),
        "bands": [{"name": band} for band in bundle.bands],
    }
