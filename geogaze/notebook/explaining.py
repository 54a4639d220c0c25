"""``geogaze.explain``: a network and an image in, maps out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args, overload

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from torch import Tensor, nn

from geogaze.config import Settings, get_settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.device import pick_device
from geogaze.evidence.kept import load_engine
from geogaze.models import targets
from geogaze.models.bundles import Bundle, Probabilities, Rule
from geogaze.models.methods import METHODS
from geogaze.models.registry import find_model
from geogaze.models.targets import Classifier
from geogaze.networks.layouts import AsMaps
from geogaze.networks.loading import load_model
from geogaze.notebook.explanation import Explanation
from geogaze.notebook.images import picture, pixels_of
from geogaze.notebook.looking import (
    Look,
    as_they_are,
    bands_of,
    look_with_engine,
    look_with_module,
    normalise,
)
from geogaze.notebook.results import Results
from geogaze.notebook.saying import Named, Said, asked, scores
from geogaze.notebook.scenes import Scene, explain_scene, is_scene, names_of
from geogaze.runner.letterbox import letterbox

Model = str | os.PathLike[str] | nn.Module
AnyImage = NDArray[Any] | Tensor


@overload
def explain(
    model: Model,
    image: AnyImage,
    *,
    classes: str | Sequence[str | int] = "all",
    method: str = "gradcam",
    layer: str | None = None,
    as_maps: AsMaps | None = None,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    normalised: bool = False,
    probabilities: Probabilities | None = None,
    size: int | None = None,
    device: str | None = None,
) -> Explanation: ...


@overload
def explain(
    model: Model,
    image: Scene,
    *,
    out: str | os.PathLike[str],
    overwrite: bool = False,
    classes: str | Sequence[str | int] = "all",
    method: str = "gradcam",
    layer: str | None = None,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    probabilities: Probabilities | None = None,
    size: int | None = None,
    device: str | None = None,
    **options: Any,
) -> Results: ...


def explain(
    model: Model,
    image: AnyImage | Scene,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    classes: str | Sequence[str | int] = "all",
    method: str = "gradcam",
    layer: str | None = None,
    as_maps: AsMaps | None = None,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    normalised: bool = False,
    probabilities: Probabilities | None = None,
    size: int | None = None,
    device: str | None = None,
    **options: Any,
) -> Explanation | Results:
    """Where a network looks, for each class: in an image, or on the map in a whole scene.

    Args:
        model: a bundle's name or folder, a torchvision architecture, or any classifier of your own
            from images (B, bands, H, W) to logits (B, classes). A module runs where it is, and
            nothing of it changes.
        image: an array (H, W, 3) or (bands, H, W), uint8 or float 0..1; a tensor (bands, H, W) or
            (1, bands, H, W); or the path or URI of a georeferenced scene, or a list of several
            that are one, whose products go to ``out``.
        out: the folder for a scene's products. An interrupted run goes on from there.
        overwrite: whether an earlier run's products in ``out`` are replaced.
        classes: ``all``, ``top`` (the best class; in a scene each tile's own), or names; also
            ``ship vs harbor`` and ``not ship``. A number is a class's position.
        method: a name that ``geogaze methods`` lists.
        layer: the module to look at, such as ``features.7``; needed where the network's family is
            not known.
        as_maps: how maps (B, C, h, w) are made of what the layer gives, where it gives something
            else: see :mod:`geogaze.networks.layouts`. Not in a scene.
        class_names: of a module's logits, in order; otherwise "0", "1", ….
        mean: that a module's input is normalised by, of values 0..1, one for each band; otherwise
            ImageNet's.
        std: likewise.
        normalised: the image is what the network takes; neither ``mean`` nor range is asked for.
        probabilities: how a module's logits become probabilities: softmax (the default), sigmoid
            or none.
        size: side of the square that the image is fitted into, whole and undistorted, or of a
            scene's tiles. A module otherwise gets an image as it is, and 224 pixels of a scene.
        device: auto, cpu, cuda or cuda:N, for a model by name; otherwise GEOGAZE_DEVICE.
        **options: of a scene, as ``geogaze run`` has them: ``gsd``, ``overlap``, ``bands``, ….

    Returns:
        Explanation: of an image: maps as arrays.
        Results: of a scene: its products, opened.

    Raises:
        InvalidRequest: an argument does not fit the others, or the image or scene is no use.
        UnknownModel: no model has this name.
        UnknownClass: the model has no such class.
        UnsupportedArchitecture: no exact explanation is known for this network or layer.
    """
    if method not in METHODS:
        raise InvalidRequest(f"No method {method!r}. There are: {', '.join(METHODS)}.")
    if probabilities not in {None, *get_args(Probabilities)}:
        raise InvalidRequest(f"probabilities: softmax, sigmoid or none, not {probabilities!r}.")
    if layer is not None and not isinstance(layer, str):
        raise InvalidRequest("layer: a module's name in named_modules(), such as 'features.7'.")
    if size is not None and not (isinstance(size, int) and size > 0):
        raise InvalidRequest(f"size: pixels of a side, above 0, not {size!r}.")
    settings = get_settings()
    if device is not None:
        settings = settings.model_copy(update={"device": device})
    said = Said(layer, as_maps, class_names, mean, std, probabilities, size)
    if not isinstance(model, nn.Module):
        said.refuse_for_bundle()
    network = (
        model
        if isinstance(model, nn.Module)
        else find_model(os.fspath(model), settings, allow_path=True)
    )
    wanted = asked(classes)
    if is_scene(image):
        if out is None or normalised:
            raise InvalidRequest(
                "Say where the products of a scene go: out='a folder'. A photograph is given as "
                "an array: np.asarray(PIL.Image.open(path).convert('RGB'))."
                if out is None
                else "A scene is never normalised: say rescale=, mean= and std=."
            )
        inputs = {**options, "scene": names_of(image), "classes": wanted, "method": method}
        with torch.inference_mode(mode=False), torch.enable_grad():  # whatever a caller's is
            return explain_scene(network, said, inputs, Path(out), settings, overwrite=overwrite)
    if given := [*(["out"] if out is not None else []), *options]:
        raise InvalidRequest(f"{', '.join(given)}: for a scene by its path, not for an image.")
    if normalised and not isinstance(network, nn.Module):
        raise InvalidRequest("normalised: for modules only; a model by name normalises itself.")
    with torch.inference_mode(mode=False):  # nothing is differentiated in a caller's
        if isinstance(network, nn.Module):
            return _by_module(network, said, image, wanted, method, normalised=normalised)
        if said.layer in {None, network.module} and said.size in {None, network.input_size}:
            return _by_bundle(network, image, wanted, method, settings)
        loaded = load_model(network).to(pick_device(settings.device))
        if network.rescale:
            image = pixels_of(image, len(network.bands), rescale=network.rescale)
        return _by_module(loaded, _said_by(network, said), image, wanted, method)


def _said_by(bundle: Bundle, said: Said) -> Said:
    """Of a bundle's network, at a layer or a size of the user's."""
    return Said(
        said.layer or bundle.module,
        said.as_maps,
        bundle.classes,
        bundle.mean,
        bundle.std,
        bundle.probabilities,
        said.size or bundle.input_size,
        bundle.temperature,
    )


def _by_bundle(
    bundle: Bundle, image: AnyImage, wanted: str | list[str], method: str, settings: Settings
) -> Explanation:
    pixels = pixels_of(image, len(bundle.bands), rescale=bundle.rescale)
    chosen = None if wanted == "top" else scores(wanted, bundle, 0)  # before the network is loaded
    values, valid, inner = letterbox(pixels, bundle.input_size)
    look = look_with_engine(load_engine(bundle, settings), values, valid, chosen, method)
    shown = picture(pixels, normalised=False)
    share = targets.probabilities(look.logits[None], bundle.rule, bundle.temperature)
    return _explanation(look, bundle, share, bundle.rule, shown, valid.shape, inner)


def _by_module(
    model: nn.Module,
    said: Said,
    image: AnyImage,
    wanted: str | list[str],
    method: str,
    *,
    normalised: bool = False,
) -> Explanation:
    bands = len(said.mean) if said.mean is not None else bands_of(model)
    pixels = pixels_of(image, bands, normalised=normalised)
    height, width, count = pixels.shape
    inner = slice(0, height), slice(0, width)
    if said.size is not None:
        values, valid, inner = letterbox(pixels, said.size)
    else:
        most = 255 if pixels.dtype == np.uint8 else 1
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
        values /= most
        valid = np.ones((height, width), dtype=bool)
    if normalised:
        images = as_they_are(model, values)
    else:
        images = normalise(model, values, valid, *said.normalisation(count))

    def named(logits: NDArray[np.float32]) -> Named:
        return Named(type(model).__name__, said.names_for(len(logits)))

    look = look_with_module(
        model,
        said,
        images,
        lambda logits: scores(wanted, named(logits), int(logits.argmax())),
        method,
    )
    shown = picture(pixels, normalised=normalised)
    rule = look.rule or said.rule or "softmax"
    share = targets.probabilities(look.logits[None], rule, said.temperature)
    return _explanation(look, named(look.logits), share, rule, shown, valid.shape, inner)


def _explanation(
    look: Look,
    model: Classifier,
    share: NDArray[np.float32],
    rule: Rule,
    image: NDArray[np.uint8],
    shape: tuple[int, ...],
    inner: tuple[slice, slice],
) -> Explanation:
    """Maps of the network's input, of this shape, as maps of the image that lies in it; ``share``
    (1, classes) is how probable its classes are.
    """
    axes = [
        _Axis.of(cells, look, side, place, pixels)
        for cells, side, place, pixels in zip(
            look.evidence.shape[1:], shape, inner, image.shape[:2], strict=True
        )
    ]
    rows, cols = axes
    return Explanation(
        classes=tuple(targets.spelled(target, model) for target in look.targets),
        evidence=np.ascontiguousarray(look.evidence[:, rows.cells, cols.cells]),
        probabilities=np.array(
            [targets.target_probability(share, target, rule)[0] for target in look.targets],
            dtype=np.float32,
        ),
        ranking=[(model.classes[i], float(share[0, i])) for i in np.argsort(-look.logits)],
        transform=Affine(cols.side, 0, cols.start, 0, rows.side, rows.start),
        placement="stretched" if look.stride is None else "measured",
        route=look.route,
        nowhere=look.nowhere,
        image=image,
    )


@dataclass(frozen=True)
class _Axis:
    """Where cells lie along one axis of the image: those inside it, the first one's start and all
    sides, in pixels of the image.
    """

    cells: slice
    start: float
    side: float

    @classmethod
    def of(cls, cells: int, look: Look, side: int, place: slice, pixels: int) -> Self:
        """Of so many cells over an input of so many pixels, where the image has its place."""
        if look.stride is None or look.first_center is None:
            stride, first = side / cells, 0.0
        else:
            stride, first = look.stride, look.first_center + (1 - look.stride) / 2
        scale = pixels / (place.stop - place.start)
        start, stride = (first - place.start) * scale, stride * scale
        centers = start + (np.arange(cells) + 0.5) * stride
        inside = np.flatnonzero((centers >= 0) & (centers <= pixels))
        if not len(inside):  # an image that is thinner than a cell
            inside = np.abs(centers - pixels / 2).argmin(keepdims=True)
        kept = slice(int(inside[0]), int(inside[-1]) + 1)
        return cls(kept, start + kept.start * stride, stride)
