"""A whole scene, explained by the embedded run."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import structlog
import torch
from torch import Tensor, nn
from typing_extensions import TypeIs

from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.engines import drop_engines
from geogaze.logs import configure_logging
from geogaze.models.bundles import Bundle
from geogaze.networks.architectures import offer, withdraw
from geogaze.networks.bundling import write_bundle
from geogaze.notebook.looking import answer_of, bands_of
from geogaze.notebook.results import Results, open_results
from geogaze.notebook.saying import Said
from geogaze.outputs import results_item
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run

_COLOURS = ("red", "green", "blue")
_SIZE = 224  # pixels of a tile where nobody says

Place = str | os.PathLike[str]
Scene = Place | Sequence[Place]
"""Where a scene lies, or the files that are one."""


def is_scene(image: object) -> TypeIs[Scene]:
    """Whether what is to be explained is named, as scenes are."""
    if isinstance(image, list | tuple):
        return bool(image) and all(isinstance(part, str | os.PathLike) for part in image)
    return isinstance(image, str | os.PathLike)


def names_of(scene: Scene) -> str | tuple[str, ...]:
    """A scene as requests name it."""
    if isinstance(scene, str | os.PathLike):
        return os.fspath(scene)
    return tuple(os.fspath(part) for part in scene)


def explain_scene(
    model: Bundle | nn.Module,
    said: Said,
    inputs: dict[str, Any],
    out: Path,
    settings: Settings,
    *,
    overwrite: bool,
) -> Results:
    """Run the job and open what it made.

    Args:
        model: a bundle, or a module, which is made one for as long as the job runs.
        said: of a module.
        inputs: of the process ``explain``, without the model.
        out: the folder for the products.
        settings: device, batch size and the like.
        overwrite: whether an earlier run's products there are replaced.

    Raises:
        InvalidRequest: an input is wrong, or a bundle is to be looked at otherwise than it says.
        UnsupportedArchitecture: a module cannot be cut, or its activations are no regular grid.
    """
    if not structlog.is_configured():  # else each unit would be logged into the notebook
        configure_logging("error", settings.log_format)
    with tempfile.TemporaryDirectory(prefix="geogaze-module-") as folder:
        if isinstance(model, nn.Module):
            bundle = _bundled(model, said, Path(folder))
        else:
            bundle = model
            fits = said.layer in {None, bundle.module} and said.size in {None, bundle.input_size}
            if not fits:
                raise InvalidRequest(
                    f"layer, size: in a scene {bundle.name!r} is looked at as its item.json says, "
                    f"at {bundle.module!r} in tiles of {bundle.input_size} pixels. Import it anew "
                    "with another layer, or give its network as a module."
                )
        name = str(bundle.folder) if bundle.folder else bundle.name
        try:
            request = ExplainRequest.parse({**inputs, "model": name, **_earlier(inputs)})
            run(request, out, settings, overwrite=overwrite)
        finally:
            if isinstance(model, nn.Module):  # nobody asks for it again
                withdraw(bundle.architecture)
                drop_engines()
    return open_results(out)


def _earlier(inputs: dict[str, Any]) -> dict[str, Any]:
    """What an input takes from an earlier run: of its folder, or of its opened results."""
    given = inputs.get("scale_from")
    if isinstance(given, Results):
        return {"scale_from": given.item}
    if isinstance(given, str | os.PathLike):
        return {"scale_from": results_item(Path(given))}
    return {}


def _bundled(model: nn.Module, said: Said, folder: Path) -> Bundle:
    """A module as a bundle, with all digits of its weights; this process knows how to build it."""
    if said.as_maps is not None:
        raise InvalidRequest(
            "as_maps: for images only. In a scene, give a module with the attributes trunk, "
            "head and as_maps."
        )
    copy = deepcopy(model).cpu().float().eval().requires_grad_(False)
    bands = len(said.mean) if said.mean is not None else bands_of(copy) or 3
    mean, std = said.normalisation(bands)
    size = said.size or _SIZE
    name = type(model).__name__.lower()
    # By what it does: what another network has explained is not gone on with.
    noise = torch.randn(1, bands, size, size, generator=torch.Generator().manual_seed(0))
    answer = answer_of(copy, noise)
    names, labels_pixels = said.names_for(answer.shape[1]), answer.ndim > 2
    architecture = f"module:{name}:{_behaviour(copy, answer)}"
    offer(architecture, lambda classes: deepcopy(copy))
    return write_bundle(
        copy,
        folder / name,
        architecture=architecture,
        classes=names,
        input_size=size,
        bands=("red", "green", "blue")
        if bands == 3
        else tuple(f"band-{i + 1}" for i in range(bands)),
        mean=mean,
        std=std,
        layer=said.layer,
        probabilities=said.rule or ("sigmoid" if labels_pixels and len(names) == 1 else "softmax"),
        labels_pixels=labels_pixels,
        half=False,
    )


def _behaviour(network: nn.Module, answer: Tensor) -> str:
    """Some digits that networks share which answer alike to one image."""
    means = answer.flatten(2).mean(dim=2) if answer.ndim > 2 else answer
    said = f"{network!r}{[round(float(value), 3) for value in means.flatten()]}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]
