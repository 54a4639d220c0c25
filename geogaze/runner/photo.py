"""Explaining one photograph or chip, as Grad-CAM was first shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.errors import InvalidRequest
from geogaze.evidence.explainer import Explainer, LabelsPixels
from geogaze.grid.resample import lattice_offset, resample_matrix
from geogaze.models.methods import METHODS
from geogaze.models.targets import layer_names, parse_target
from geogaze.products.colormaps import DEFAULT
from geogaze.products.make.color import lay_over, outlined, stretch
from geogaze.products.make.specks import softened_alone
from geogaze.runner.letterbox import letterbox
from geogaze.runner.textbook import stretched, textbook_heat, textbook_overlay
from geogaze.scene.chips import Chip, colours_of, filled

_HALF = 0.5  # of a pixel, as the model is shown it, that must lie within; of a speck the fullest

Placing = Callable[
    [NDArray[Any], int], tuple[NDArray[np.float32], NDArray[np.bool_], tuple[slice, slice]]
]
"""How an image comes into the model's square: see :func:`geogaze.runner.letterbox.letterbox`."""


@dataclass(frozen=True)
class PhotoExplanation:
    """What a model sees in a photograph.

    ``ranking`` holds (class, probability), best first; ``probability`` is that of ``shown``, as
    :func:`geogaze.models.targets.target_probability` says, ``heat`` (h, w) 0..1 its evidence;
    where the model gives no probabilities they are NaN;
    ``overlay`` (h, w, 3) RGB; ``nowhere`` what tokens on no place give to the score, in logits;
    None where there are none.
    """

    ranking: list[tuple[str, float]]
    shown: str
    probability: float
    heat: NDArray[np.float32]
    overlay: NDArray[np.uint8]
    nowhere: float | None = None


def explain_photo(
    engine: Explainer, chip: Chip, layer: str | None, method: str = "gradcam"
) -> PhotoExplanation:
    """Evidence of one score in one image, see :func:`explain_layers`; None for the best class."""
    return explain_layers(engine, chip, None if layer is None else (layer,), method)[0]


def explain_layers(
    engine: Explainer,
    chip: Chip,
    layers: Sequence[str] | None,
    method: str = "gradcam",
    *,
    textbook: bool = False,
    within: NDArray[np.bool_] | None = None,
) -> list[PhotoExplanation]:
    """Evidence of some scores in one image.

    The image is shown whole and undistorted to the model, padded with the mean, and heat is placed
    where the network looks; or as textbooks have it: stretched to the model's square, the map
    enlarged to the image's borders, in OpenCV's rainbow.

    Args:
        engine: the model.
        chip: with the model's bands; what is not known of it becomes the mean.
        layers: classes, or scores as :func:`geogaze.models.targets.parse_target` reads them; None
            for the best class alone.
        method: a key of :data:`geogaze.models.methods.METHODS`.
        textbook: whether as textbooks do.
        within: pixels (h, w) of the image whose labels are explained, whatever they are; of models
            that label pixels.

    Raises:
        UnknownClass: the model has no such class.
        InvalidRequest: the model does not label pixels, and ``within`` is given.
    """
    bundle, per_pixel = engine.bundle, METHODS[method].per_pixel
    image = colours_of(chip.values, bundle.bands)
    whole = np.ascontiguousarray(filled(chip, bundle.mean).transpose(1, 2, 0))
    place = stretched if textbook else letterbox
    values, valid, inner = place(whole, bundle.input_size)
    targets = tuple(parse_target(layer, bundle) for layer in layers) if layers else None
    window = engine.prepare(values, valid, ((0.0, 1.0),))
    with _summed_within(engine, within, place):
        (result,) = engine.explain_tiles(window, [(0, 0)], targets, method)
    share = result.probabilities[0]
    order = np.argsort(-result.logits[0])
    ranking = [(bundle.classes[i], float(share[i])) for i in order]
    names = layer_names(layers, bundle) if layers else [ranking[0][0]]
    found = []
    for k, name in enumerate(names):
        probability = result.target_probability(targets[k])[0] if targets else share.max()
        evidence = result.evidence[0, k]
        if textbook:
            heat = textbook_heat(evidence, image.shape[:2])
            overlay = textbook_overlay(image, heat)
        else:
            placed = _placed(engine, evidence, per_pixel=per_pixel)[inner]
            heat = _enlarged(placed, image.shape[:2])
            seen = _enlarged(softened_alone(placed), image.shape[:2]) if per_pixel else heat
            overlay = lay_over(image, seen, DEFAULT)
        if within is not None:
            overlay = outlined(overlay, within)
        nowhere = None if result.nowhere is None else float(result.nowhere[0, k])
        found.append(PhotoExplanation(ranking, name, float(probability), heat, overlay, nowhere))
    return found


@contextmanager
def _summed_within(
    engine: Explainer, within: NDArray[np.bool_] | None, place: Placing
) -> Iterator[None]:
    """Meanwhile a model that labels pixels is asked about these of the image, not about all."""
    if within is None:
        yield
        return
    if not isinstance(engine, LabelsPixels) or not engine.bundle.labels_pixels:
        raise InvalidRequest(
            f"{engine.bundle.name} gives a score of the whole picture, not of an area in it: "
            "an area is for models that label pixels."
        )
    (share,), _, _ = place(within[:, :, None].astype(np.float32), engine.bundle.input_size)
    if not (inside := share >= min(_HALF, share.max())).any():
        raise InvalidRequest("The area holds no pixel of the picture.")
    with engine.within(inside):
        yield


def _placed(
    engine: Explainer, evidence: NDArray[np.float32], *, per_pixel: bool
) -> NDArray[np.float32]:
    """Positive evidence of the model's input, (size, size)."""
    bundle = engine.bundle
    size = bundle.input_size
    if per_pixel:
        return np.asarray(np.maximum(evidence, 0))
    to_lattice = resample_matrix(size, bundle.stride, bundle.cells)
    signed = to_lattice @ evidence @ to_lattice.T
    offset = lattice_offset(size, bundle.stride, bundle.cells, bundle.first_center)
    return stretch(np.maximum(signed, 0), (offset, offset, bundle.stride), (size, size))


def _enlarged(shown: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Evidence by its highest, (h, w) as the image's."""
    peak = shown.max()
    heat = cv2.resize(shown / (peak or 1), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(heat, dtype=np.float32)
