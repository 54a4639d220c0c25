"""The door: a network is run as it is stored before it is let in, and explained once.

What is found is told in a line; what does not hold is refused in a sentence, before anything is
written. See also :mod:`geogaze.networks.trial`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from geogaze.errors import GeogazeError, InvalidBundle, InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.findings import Admitted, Said
from geogaze.evidence.routes import Route, explain
from geogaze.models.bundles import Bundle, Probabilities
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at
from geogaze.networks.ending import ending_of, take_off
from geogaze.networks.loading import load_model
from geogaze.networks.logits import logits_of, scores_in
from geogaze.networks.programs.cutting import attends
from geogaze.networks.proposing import deepest_map, last_map
from geogaze.networks.regions import Labelling, Regions, labelled, regions_of
from geogaze.networks.registration import Registration, register
from geogaze.networks.split import Split
from geogaze.networks.storing import survives_halving
from geogaze.networks.trial import agree, check_weights, run_on, trial_images, try_out

_STORED = 0.02  # of what scores differ by: what half precision may change
_ROUNDING = 0.01  # pixels, on another machine than where it was measured
_EXACT = 1e-4  # of the largest evidence: rounding of float32, summed in another order
_CHECKS = (
    *("weights", "output", "finite", "repeatable", "alone", "logits", "cut", "layer", "grid"),
    *("exact", "stored"),
)
_T = TypeVar("_T")


def admit(model: nn.Module, said: Said) -> Admitted:
    """Run a network on two images, cut it, measure it and explain it once.

    A softmax or sigmoid that is its last module is taken off ``model`` itself.

    Args:
        model: with its weights, in evaluation mode, on the CPU.
        said: what it is to be.

    Raises:
        GeogazeError: something does not hold; one sentence says what to do.
    """
    check_weights(model)
    images = trial_images(len(said.bands), said.input_size)
    classes = len(said.classes)
    with torch.no_grad():
        labels_pixels = scores_in(run_on(model, images), len(images)).ndim > 2
    # Until it is known by what rule it labels them, scores are sums over all pixels.
    regions = Regions("none") if labels_pixels else None
    logits = try_out(_scoring(model, regions), images, classes)
    stripped, rule = _without_probabilities(model, images, said.task)
    task = _task(said.task or rule, classes)
    if regions:
        regions.rule = task
    if stripped or regions:
        logits = try_out(_scoring(model, regions), images, classes)
    cut = labelled(_cut(model, said.layer, images, regions), regions)
    maps = _maps_of(cut, images, logits)
    registration = _registration(cut, maps, said)
    route = _explained(cut, images, logits)
    return Admitted(
        task,
        stripped,
        registration,
        cut.module,
        route,
        survives_halving(model, lambda net: _close(_scoring(net, regions), images, logits)),
        images,
        logits,
        _CHECKS,
        labels_pixels,
    )


def _scoring(model: nn.Module, regions: Regions | None) -> nn.Module:
    """A network that gives scores of images."""
    return Labelling(model, regions) if regions else model


def check_stored(bundle: Bundle, found: Admitted) -> None:
    """Read a bundle back as whoever runs it does, and see that it is the network that was tried.

    Raises:
        InvalidBundle: its scores are others.
    """
    network = _scoring(load_model(bundle), regions_of(bundle))
    if not _close(network, found.images, found.logits):
        raise InvalidBundle(
            f"The network {bundle.architecture!r}, built anew with the weights as stored, gives "
            "other scores: let it keep all that it computes with in its state_dict()."
        )


def check_described(bundle: Bundle) -> Admitted:
    """Run a bundle's network as import does, and see that it is what the bundle says.

    Raises:
        InvalidBundle: its files are others, or where its cells look is told wrongly.
        GeogazeError: something does not hold; one sentence says what to do.
    """
    said = Said(
        bundle.classes, bundle.bands, bundle.input_size, bundle.module, bundle.probabilities
    )
    found = admit(load_model(bundle), said)
    seen = found.registration
    same = (bundle.stride, bundle.cells) == (seen.stride, seen.cells)
    if not same or abs(bundle.first_center - seen.first_center) > _ROUNDING:
        raise InvalidBundle(
            f"The bundle {bundle.name!r} says {bundle.cells} cells, {bundle.stride} px apart from "
            f"{bundle.first_center:g}; its network has {seen.cells}, {seen.stride} px apart from "
            f"{seen.first_center:g}. Import its weights anew."
        )
    return found


def _close(model: nn.Module, images: Tensor, logits: Tensor) -> bool:
    with torch.no_grad():
        return agree(logits_of(model(images), len(images)).float(), logits, _STORED)


def _without_probabilities(
    model: nn.Module, images: Tensor, asked: Probabilities | None
) -> tuple[str | None, Probabilities | None]:
    """The module that was taken off a network's end, and the rule by which it made probabilities.

    Raises:
        UnsupportedArchitecture: no module does that alone, or it is not what was asked for.
    """
    ending = None if asked == "none" else ending_of(model, images)
    if ending is None:
        return None, None
    if asked not in {None, ending.rule}:
        raise UnsupportedArchitecture(
            f"The network ends in {ending.function}, which is not --task {asked}: give --task "
            f"{ending.rule}."
        )
    if ending.module is None:
        raise UnsupportedArchitecture(
            f"The network ends in {ending.function}, so that it gives probabilities: let it return "
            "the logits before, or have them explained as they are by --task none."
        )
    take_off(model, ending.module)
    return ending.module, ending.rule


def _task(asked: Probabilities | None, classes: int) -> Probabilities:
    """How logits become probabilities.

    Raises:
        InvalidRequest: one logit has nothing to be compared with.
    """
    if asked == "softmax" and classes == 1:
        raise InvalidRequest(
            "Of one class the softmax is always 1: give --task sigmoid for yes and no, or none."
        )
    return asked or ("sigmoid" if classes == 1 else "softmax")


def _cut(
    model: nn.Module, layer: str | None, images: Tensor, regions: Regions | None
) -> Split | Captured:
    """The network, cut.

    Raises:
        UnsupportedArchitecture: there is no such layer, or none was named; names one that will do.
    """
    try:
        return cut_at(model, layer)
    except UnsupportedArchitecture as error:
        blind = layer or attends(model)  # what maps a program has lie before its attention
        proposed = None if blind else (deepest_map if regions else last_map)(model, images)
        if proposed is None:
            raise
        raise UnsupportedArchitecture(
            f"{type(model).__name__} has no known cut between features and classifier: name the "
            f"layer to look at, such as --layer {proposed}."
        ) from error


def _maps_of(cut: Split | Captured, images: Tensor, logits: Tensor) -> Tensor:
    """The layer's maps (2, C, g, g) of images whose logits are known.

    Raises:
        UnsupportedArchitecture: the layer runs not once or gives no maps, or what lies before and
            behind the cut is not the network.
    """
    if isinstance(cut, Captured):
        found, scores = _in_words(lambda: cut.run(images), f"The layer {cut.module!r}")
        together = scores.detach()
    else:
        found, together = _in_words(lambda: _halves(cut, images), "What follows the trunk")
    if not agree(together.float(), logits):
        inner = last_map(cut.trunk, images) if isinstance(cut, Split) else None
        advice = f", or name a layer inside: --layer {cut.module}.{inner}" if inner else ""
        raise UnsupportedArchitecture(
            f"head(trunk(images)) is another function than the network: put what its forward does "
            f"besides into one of the two{advice}."
        )
    maps = cut.as_maps(found.detach())
    if len(maps) != len(images):
        raise UnsupportedArchitecture(
            f"The layer {cut.module!r} gives {len(maps)} maps for {len(images)} images: name one "
            "with --layer that gives one for each."
        )
    rows, cols = maps.shape[2:]
    if rows != cols:
        raise UnsupportedArchitecture(
            f"The layer {cut.module!r} has {rows} × {cols} cells for a square image: name one "
            "before with --layer."
        )
    return maps


def _halves(cut: Split, images: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        activations = cut.trunk(images)
        if not isinstance(activations, Tensor) or cut.as_maps(activations).ndim != 4:
            kind = getattr(activations, "shape", None)
            what = tuple(kind) if kind else type(activations).__name__
            raise UnsupportedArchitecture(
                f"The trunk gives {what}, not maps (images, channels, rows, cols): let it return "
                "those alone, say as_maps, or name a layer with --layer."
            )
        return activations, logits_of(cut.head(activations.clone()), len(images))


def _registration(cut: Split | Captured, maps: Tensor, said: Said) -> Registration:
    """Where the maps' cells look, which must be on the image.

    Raises:
        UnsupportedArchitecture: they are no regular grid over it.
    """
    what = f"Where the layer {cut.module!r} looks"
    found = _in_words(lambda: register(cut, len(said.bands), said.input_size), what)
    last = found.first_center + (found.cells - 1) * found.stride
    outside = found.first_center < -found.stride or last > said.input_size - 1 + found.stride
    if found.cells != maps.shape[-1] or outside:
        raise UnsupportedArchitecture(
            f"The layer {cut.module!r} has {maps.shape[-1]} cells, which {found.stride} pixels "
            f"apart do not lie on an image of {said.input_size}: name one before with --layer."
        )
    return found


def _explained(cut: Split | Captured, images: Tensor, logits: Tensor) -> Route:
    """How the network is explained, seen to be exact for its first class.

    Raises:
        UnsupportedArchitecture: it is not.
    """
    what = f"The network at {cut.module!r}"
    found = _in_words(lambda: explain(cut, images, [(0, None)]), what)
    wanted = _in_words(lambda: _by_autograd(cut, images), what)
    difference = (found.evidence[:, 0] - wanted).abs().max()
    if not bool(difference <= _EXACT * wanted.abs().max()) or not agree(found.logits, logits):
        raise UnsupportedArchitecture(
            f"{what} cannot be explained exactly: its evidence is not that of its gradient. Name "
            "another layer with --layer."
        )
    return found.route


def _by_autograd(cut: Split | Captured, images: Tensor) -> Tensor:
    """Grad-CAM of the first class (B, g, g), from one backward pass."""
    if isinstance(cut, Captured):
        activations, logits = cut.run(images)
    else:
        with torch.no_grad():
            activations = cut.trunk(images)
        activations = activations.detach().requires_grad_()
        with torch.enable_grad():
            logits = logits_of(cut.head(activations.clone()), len(images))
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), activations)
    weights = cut.as_maps(gradient).sum(dim=(2, 3), keepdim=True)
    return (weights * cut.as_maps(activations.detach())).sum(dim=1)


def _in_words(ask: Callable[[], _T], what: str) -> _T:
    """An answer, or a refusal without what torch says."""
    try:
        return ask()
    except GeogazeError:
        raise
    except Exception as error:  # whatever is in a network of somebody's own
        raise UnsupportedArchitecture(
            f"{what} cannot be had ({type(error).__name__}): name another layer with --layer, or "
            "let the module give one tensor."
        ) from error
