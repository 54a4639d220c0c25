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
from geogaze.evidence.routes import Evidence, explain
from geogaze.evidence.upload import Uploader
from geogaze.models.bundles import Rule
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.layouts import AsMaps, Tokens, channels_last, maps
from geogaze.networks.logits import logits_of, scores_in
from geogaze.networks.regions import Regions, labelled
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
    nobody knows, so that cells lie evenly over it. ``rule`` says what ``logits`` are where that is
    not for the user to say: shares of pixels. ``nowhere`` (K,) is what tokens on no place give;
    None where there are none.
    """

    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    targets: tuple[Target, ...]
    first_center: float | None
    stride: float | None
    route: str
    rule: Rule | None = None
    nowhere: NDArray[np.float32] | None = None


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
    nowhere = None if result.nowhere is None else result.nowhere[0]
    logits, evidence = result.logits[0], result.evidence[0]
    return Look(logits, evidence, chosen, first_center, stride, result.route, nowhere=nowhere)


def look_with_module(
    model: nn.Module,
    said: Said,
    images: Tensor,
    choose: Choose,
    method: str,
) -> Look:
    """By a network as it is, on its device, in evaluation mode meanwhile; nothing of it changes.

    Args:
        model: from images (B, bands, H, W) to logits (B, classes), or maps of them.
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
            output = model(images)
        regions = _regions(output, said)
        labels = regions(output) if regions else None
        shares = labels.shares if labels else None
        answer = (labels or output) if shares is None else shares
        scores = _one_row(model, answer).float().cpu().numpy()
        rule: Rule | None = None if shares is None else "shares"
        targets = tuple(choose(scores))
        if METHODS[method].per_pixel:
            network = PixelNetwork(labelled(_pieces(model, said), regions))
            attributed = network.attribute(method, images, targets)
            logits = torch.from_numpy(scores)[None]
            place = Registration(1, 0.0, attributed.shape[-1], None)
            return _look(scores, Evidence(logits, attributed, "pixels"), targets, place, rule)
        if said.layer is None:
            _check_known(model)
        cut = labelled(cut_at(model, said.layer, said.as_maps or maps), regions)
        found = explain(cut, images, targets, method)
        registration = _registration(model, cut, images.shape[1])
        return _look(scores, found, targets, registration, rule)


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


def answer_of(model: nn.Module, image: Tensor) -> Tensor:
    """A module's logits (1, classes) of an image (1, bands, H, W), or maps of them.

    Raises:
        InvalidRequest: it gives neither.
    """
    at, dtype = _where(model)
    with _evaluating(model), torch.no_grad():
        output = model(image.to(at, dtype))
    try:
        return scores_in(output, 1)
    except UnsupportedArchitecture as error:
        raise InvalidRequest(f"{type(model).__name__}: {error}") from error


def _regions(output: Any, said: Said) -> Regions | None:
    """How a module labels pixels; None where it gives logits of images, or none."""
    try:
        maps_of = scores_in(output, 1)
    except UnsupportedArchitecture:  # told where its logits are asked for
        return None
    if maps_of.ndim == 2:
        return None
    return Regions(said.rule or ("sigmoid" if maps_of.shape[1] == 1 else "softmax"))


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
    found: Evidence,
    targets: tuple[Target, ...],
    place: Registration | None,
    rule: Rule | None = None,
) -> Look:
    first_center, stride = (place.first_center, place.stride) if place else (None, None)
    evidence = found.evidence[0].detach().float().cpu().numpy()
    nowhere = None if found.nowhere is None else found.nowhere[0].float().cpu().numpy()
    return Look(logits, evidence, targets, first_center, stride, found.route, rule, nowhere)


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


def _pieces(model: nn.Module, said: Said) -> Split | Captured:
    """For methods per pixel, which need no layer, save one that refuses where none is known."""
    try:
        return cut_at(model, said.layer, said.as_maps or maps)
    except UnsupportedArchitecture:
        if said.layer is not None:
            raise
        return Split(model, nn.Identity(), "", _no_maps)


def _no_maps(logits: Tensor) -> Tensor:
    raise UnsupportedArchitecture(
        f"Logits {tuple(logits.shape)} are no maps: name a layer that gives some."
    )


def _check_known(model: nn.Module) -> None:
    """See that a network can be cut without a layer's name.

    Raises:
        UnsupportedArchitecture: it cannot; names a layer that might do.
    """
    try:
        cut_at(model)
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
