"""What a network says of one image: a bundle by its engine, a module of the user's as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.engine import Engine
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.routes import explain
from geogaze.evidence.upload import Uploader
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at, split
from geogaze.networks.layouts import AsMaps, Tokens, channels_last, maps
from geogaze.networks.logits import logits_of
from geogaze.networks.registration import Registration, measure
from geogaze.networks.split import Split
from geogaze.notebook.saying import Said

_SIDE = 96  # pixels; only the grid's size depends on it, which evidence tells
_Grid = tuple[str, AsMaps, int, str]  # layer, its maps, bands, and how the network is built
_REGISTRATIONS: WeakKeyDictionary[nn.Module, dict[_Grid, Registration | None]] = WeakKeyDictionary()

Choose = Callable[[NDArray[np.float32]], Sequence[Target]]
"""The scores to explain, by the logits (classes,)."""


@dataclass(frozen=True)
class Look:
    """Of one image.

    ``logits`` (classes,) and ``evidence`` (K, rows, cols) of ``targets``, float32. Row and column i
    look at the pixel ``first_center + i * stride`` of the network's input; both are None where
    nobody knows, so that cells lie evenly over it.
    """

    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    targets: tuple[Target, ...]
    first_center: float | None
    stride: float | None
    route: str


def look_with_engine(
    engine: Engine,
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    targets: Sequence[Target] | None,
    method: str,
) -> Look:
    """By a bundle's engine: values (bands, T, T) in 0..1 at its input size, of which ``valid``
    (T, T) are image; targets None for the best class.
    """
    bundle = engine.bundle
    window = engine.prepare(values, valid, ((0.0, 1.0),))
    (result,) = engine.explain_tiles(window, [(0, 0)], targets, method)
    chosen = own([int(result.logits[0].argmax())]) if targets is None else tuple(targets)
    per_pixel = METHODS[method].per_pixel
    first_center, stride = (0.0, 1) if per_pixel else (bundle.first_center, bundle.stride)
    return Look(result.logits[0], result.evidence[0], chosen, first_center, stride, result.route)


def look_with_module(
    model: nn.Module,
    said: Said,
    images: Tensor,
    choose: Choose,
    method: str,
) -> Look:
    """By a network as it is, on its device, in evaluation mode meanwhile; nothing of it changes.

    Args:
        model: a classifier from images (B, bands, H, W) to logits (B, classes).
        said: the layer to look at, which may be None where its family is known.
        images: (1, bands, H, W), normalised, on the network's device.
        choose: the scores to explain.
        method: a key of :data:`geogaze.models.methods.METHODS`.

    Raises:
        InvalidRequest: it does not give logits (1, classes).
        UnsupportedArchitecture: no cut, no such layer, or no exact way to explain it.
    """
    with _evaluating(model):
        with torch.no_grad():
            logits = model(images)
        scores = _one_row(model, logits).float().cpu().numpy()
        targets = tuple(choose(scores))
        if METHODS[method].per_pixel:
            attributed = PixelNetwork(_pieces(model)).attribute(method, images, targets)
            place = Registration(1, 0.0, attributed.shape[-1], None)
            return _look(scores, attributed, targets, place, "pixels")
        if said.layer is None:
            _check_known(model)
        cut = cut_at(model, said.layer, said.as_maps or maps)
        found = explain(cut, images, targets, method)
        registration = _registration(model, cut, images.shape[1])
        return _look(scores, found.evidence, targets, registration, found.route)


def normalise(
    model: nn.Module,
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    mean: Sequence[float],
    std: Sequence[float],
) -> Tensor:
    """Values (bands, H, W) in 0..1 as a module takes them: (1, bands, H, W), where it is."""
    at, dtype = _where(model)
    return Uploader(mean, std, at).upload(values, valid, ((0.0, 1.0),)).to(dtype)


def as_they_are(model: nn.Module, values: NDArray[np.float32]) -> Tensor:
    """Values (bands, H, W) that are normalised: (1, bands, H, W), where the module is."""
    at, dtype = _where(model)
    return torch.from_numpy(values)[None].to(at, dtype)


def count_classes(model: nn.Module, bands: int, size: int) -> int:
    """Logits of a module, by a look at a blank image."""
    at, dtype = _where(model)
    with _evaluating(model), torch.no_grad():
        logits = model(torch.zeros(1, bands, size, size, device=at, dtype=dtype))
    return len(_one_row(model, logits))


def bands_of(model: nn.Module) -> int | None:
    """The bands that a module's first convolution takes."""
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    return first.in_channels if first else None


def _one_row(model: nn.Module, logits: Any) -> Tensor:
    try:
        return logits_of(logits, 1)[0]
    except UnsupportedArchitecture as error:
        raise InvalidRequest(f"{type(model).__name__}: {error}") from error


def _look(
    logits: NDArray[np.float32],
    maps: Tensor,
    targets: tuple[Target, ...],
    place: Registration | None,
    route: str,
) -> Look:
    first_center, stride = (place.first_center, place.stride) if place else (None, None)
    evidence = maps[0].detach().float().cpu().numpy()
    return Look(logits, evidence, targets, first_center, stride, route)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Each of its modules in evaluation mode, then as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.enable_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _where(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    tensors = chain(model.parameters(), model.buffers())
    found = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
    return found.device, found.dtype


def _pieces(model: nn.Module) -> Split:
    """For methods per pixel, which need no maps, save one that refuses what has none."""
    try:
        return split(model)
    except UnsupportedArchitecture:
        return Split(model, nn.Identity(), "", _no_maps)


def _no_maps(logits: Tensor) -> Tensor:
    raise UnsupportedArchitecture(f"Logits {tuple(logits.shape)} are no maps.")


def _check_known(model: nn.Module) -> None:
    """See that a network can be cut without a layer's name.

    Raises:
        UnsupportedArchitecture: it cannot; names a layer that might do.
    """
    try:
        split(model)
    except UnsupportedArchitecture as error:
        convolutions = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
        hint = f" Its last convolution is layer={convolutions[-1]!r}." if convolutions else ""
        raise UnsupportedArchitecture(f"{error}{hint}") from error


def _registration(model: nn.Module, cut: Split | Captured, bands: int) -> Registration | None:
    """Where its activations look, measured once for a module as it is built; None: unknown."""
    # Another function, such as the network's own method, might keep the network alive.
    lasting = cut.as_maps in {maps, channels_last} or isinstance(cut.as_maps, Tokens)
    known = _REGISTRATIONS.setdefault(model, {}) if lasting else {}
    key = (cut.module, cut.as_maps, bands, repr(model))
    if key not in known:
        try:
            with _where(model)[0]:
                known[key] = measure(cut.maps, bands, _SIDE)
        except Exception:  # whatever it does with a size that is not its own
            known[key] = None
    return known[key]
