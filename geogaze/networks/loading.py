"""From a bundle's description to a network that can be run."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

from geogaze.errors import InvalidBundle, WeightsUnavailable
from geogaze.files import file_sha256
from geogaze.models.bundles import WEIGHTS_FILE, Bundle
from geogaze.networks.architectures import build
from geogaze.networks.ending import take_off
from geogaze.networks.likeness import likeness
from geogaze.networks.programs.program import ARCHITECTURE, TEXT, Program
from geogaze.networks.programs.steps import Recorded
from geogaze.networks.storing import take_state
from geogaze.networks.words import INSIDE, Worded


def load_model(bundle: Bundle) -> nn.Module:
    """The bundle's network with its weights, float32, in evaluation mode, on the CPU.

    Raises:
        InvalidBundle: the weights are missing, are not those described, or do not fit.
        WeightsUnavailable: published weights are not on disk and cannot be fetched.
    """
    if bundle.folder is not None and bundle.architecture == ARCHITECTURE:
        return _program(bundle, bundle.folder)
    published = bundle.folder is None
    outputs, bands = bundle.features or len(bundle.classes), len(bundle.bands)
    model = build(bundle.architecture, outputs, bands, published=published)
    if bundle.features:
        model = Worded(model, len(bundle.classes), bundle.features)
    if bundle.stripped:
        take_off(model, bundle.stripped)
    state = _published(bundle) if bundle.folder is None else _stored(bundle, bundle.folder)
    assign_state(model, state, source=bundle.name)
    return model.requires_grad_(False)


_NAMED = 5  # of keys that do not fit


def assign_state(model: nn.Module, state: dict[str, Tensor], *, source: str) -> None:
    """Give a network its parameters, widened to float32.

    Raises:
        InvalidBundle: names or shapes differ.
    """
    wanted = set(model.state_dict())
    # Auxiliary classifiers only train; the rest must match.
    state = {k: v for k, v in state.items() if k in wanted or not k.lower().startswith("aux")}
    wide = _widened(state)
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    faults = {
        "missing": sorted(own.keys() - wide.keys()),
        "unknown": sorted(wide.keys() - own.keys()),
        "of another shape": [
            f"{name} {tuple(wide[name].shape)} for {shape}"
            for name, shape in own.items()
            if name in wide and tuple(wide[name].shape) != shape
        ],
    }
    if any(faults.values()):
        differences = "; ".join(
            f"{_first_few(names)} {what}" for what, names in faults.items() if names
        )
        raise InvalidBundle(
            f"The weights of {source!r} do not fit the architecture {type(model).__name__}: "
            f"{differences}. {_advice(state)}"
        )
    take_state(model, wide)


def _widened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _advice(state: dict[str, Tensor]) -> str:
    if like := likeness(state):
        return (
            f"They look like {like.architecture} with {like.classes:,} classes: use --arch "
            f"{like.architecture}, and as many class names."
        )
    return "Is --arch right, and are there as many classes?"


def _first_few(names: list[str]) -> str:
    """A few names and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more are" if more > 0 else " are")


def _program(bundle: Bundle, folder: Path) -> nn.Module:
    """A network that lies in the bundle itself, its steps beside the weights."""
    state = _stored(bundle, folder)
    with safe_open(folder / WEIGHTS_FILE, "pt") as file:
        text = (file.metadata() or {}).get(TEXT)
    if text is None:
        raise InvalidBundle(
            f"{folder / WEIGHTS_FILE} has no program in it: import the .pt2 file anew with "
            "'geogaze models import'."
        )
    wide = _widened(state)
    if not bundle.features:
        return Program(Recorded.parsed(text), wide)
    inside = {k.removeprefix(INSIDE): v for k, v in wide.items() if k.startswith(INSIDE)}
    network = Program(Recorded.parsed(text), inside)
    model = Worded(network, len(bundle.classes), bundle.features)
    take_state(model, wide)
    return model


def _stored(bundle: Bundle, folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise InvalidBundle(f"{path} is missing from the bundle {bundle.name!r}.")
    if (stored := f"sha256:{file_sha256(path)}") != bundle.weights:
        raise InvalidBundle(f"{path} has {stored}, but its item.json says {bundle.weights}.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InvalidBundle(f"{path} holds no weights that can be read: {error}.") from error


def _published(bundle: Bundle) -> dict[str, Tensor]:
    weights = get_model_weights(bundle.architecture).DEFAULT
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        state: dict[str, Tensor] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except OSError as error:
        raise WeightsUnavailable(
            f"The published weights of {bundle.architecture!r} are not on this machine and could "
            f"not be fetched ({error}). Put the file {Path(weights.url).name} into the folder "
            f"{folder}, or import weights of your own with 'geogaze models import'."
        ) from error
    return state
