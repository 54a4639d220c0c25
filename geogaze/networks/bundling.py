"""Writing bundles: weights, STAC Item and evaluation in one folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from geogaze.errors import InvalidRequest
from geogaze.files import file_sha256
from geogaze.models.agreement import PROPERTY as AGREEMENT
from geogaze.models.agreement import Figures
from geogaze.models.bundles import (
    EVALUATION_FILE,
    WEIGHTS_FILE,
    Bundle,
    Probabilities,
    Ranges,
    check_classes,
)
from geogaze.models.item import bundle_item
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.export import write_graph
from geogaze.networks.layouts import maps
from geogaze.networks.registration import Registration, register
from geogaze.networks.split import Split
from geogaze.networks.storing import as_stored, half_state, whole_state
from geogaze.outputs import Kind, check_folder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def check_target(out: Path, classes: tuple[str, ...], *, overwrite: bool = False) -> None:
    """Refuse early what :func:`write_bundle` could not write.

    Raises:
        InvalidRequest: the folder is in use, or a class name cannot be used.
    """
    check_folder(out, Kind.BUNDLE, overwrite=overwrite)
    try:
        check_classes(classes)
    except ValueError as error:
        raise InvalidRequest(f"These classes cannot be used: {error}.") from error


def write_bundle(
    model: nn.Module,
    out: Path,
    *,
    architecture: str,
    classes: tuple[str, ...],
    input_size: int,
    bands: tuple[str, ...] = ("red", "green", "blue"),
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    gsd: float | None = None,
    layer: str | None = None,
    registration: Registration | None = None,
    probabilities: Probabilities = "softmax",
    temperature: float = 1,
    evaluation: dict[str, Any] | None = None,
    agreement: Mapping[str, Figures] | None = None,
    overwrite: bool = False,
    half: bool = True,
    graph: bool = True,
    rescale: Ranges | None = None,
    stripped: str | None = None,
    labels_pixels: bool = False,
    features: int | None = None,
    check: Callable[[Bundle], None] | None = None,
    beside: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write ``model.safetensors``, ``item.json`` and ``evaluation.json``.

    And ``model.onnx`` where a graph gives the network's evidence, unless ``graph`` is False.

    The folder appears whole or not at all. Its name becomes the model's. A ``registration`` that is
    known already spares its measuring. With ``overwrite``, a bundle that is there is replaced.
    Weights are stored in half precision, or as they are where ``half`` is False. ``labels_pixels``
    is of networks that give maps of logits, ``features`` of those that compare so many with texts.
    ``agreement`` is how lower precisions of the trunk
    agree with fp32, for the item. ``check`` is given the bundle as it lies on disk before it
    appears, and refuses it by raising. ``beside`` are further files, by name.

    Raises:
        InvalidRequest: the folder is in use.
        UnsupportedArchitecture: the network has no cut or no such layer, or its activations no
            regular grid.
    """
    check_target(out, classes, overwrite=overwrite)
    out = out.resolve()
    cut = cut_at(model, layer)
    registration = registration or register(cut, len(mean), input_size)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        state = half_state(model) if half else whole_state(model)
        save_file(state, folder / WEIGHTS_FILE, getattr(model, "beside", None))
        exported = None
        if graph:
            stored = as_stored(model, state)
            cut_there = cut_at(stored, layer)
            exported = write_graph(stored, cut_there, folder, len(bands), input_size)
        bundle = Bundle(
            name=out.name,
            architecture=architecture,
            classes=classes,
            bands=bands,
            mean=mean,
            std=std,
            input_size=input_size,
            gsd=gsd,
            module=cut.module,
            stride=registration.stride,
            first_center=registration.first_center,
            cells=registration.cells,
            halo=registration.halo if _shareable(cut) else None,
            probabilities=probabilities,
            temperature=temperature,
            rescale=rescale,
            stripped=stripped,
            labels_pixels=labels_pixels,
            features=features,
            weights=f"sha256:{file_sha256(folder / 'model.safetensors')}",
            graph=f"sha256:{exported[0]}" if exported else None,
            proof=exported[1] if exported else None,
            folder=out,
        )
        extra: dict[str, Any] = {}
        if evaluation:
            extra["geogaze:accuracy"] = evaluation["accuracy"]
            if "calibration" in evaluation:
                extra["geogaze:ece"] = evaluation["calibration"]["ece"]
        if agreement:
            extra[AGREEMENT] = agreement
        (folder / "item.json").write_text(json.dumps(bundle_item(bundle, extra), indent=2) + "\n")
        if evaluation:
            (folder / EVALUATION_FILE).write_text(json.dumps(evaluation, indent=1) + "\n")
        for name, content in (beside or {}).items():
            (folder / name).write_bytes(content)
        if check:
            check(bundle.model_copy(update={"folder": folder}))
        for path in folder.iterdir():
            path.chmod(0o644)
        if out.exists():
            out.rename(Path(scratch) / "former")
        folder.rename(out)
    return bundle


def _shareable(cut: Split | Captured) -> bool:
    """Whether a tile's activations can be a slice of those of its surroundings."""
    return isinstance(cut, Split) and cut.as_maps is maps
