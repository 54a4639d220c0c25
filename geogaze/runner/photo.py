"""Explaining one photograph or chip, as Grad-CAM was first shown."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.evidence.explainer import Explainer
from geogaze.grid.resample import lattice_offset, resample_matrix
from geogaze.models.methods import METHODS
from geogaze.models.targets import layer_names, parse_target
from geogaze.products.colormaps import DEFAULT
from geogaze.products.make.color import lay_over, stretch
from geogaze.runner.letterbox import letterbox
from geogaze.scene.chips import Chip, colours_of, filled


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
    """Evidence in one image, shown whole and undistorted to the model, padded with the mean.

    Args:
        engine: the model.
        chip: with the model's bands; what is not known of it becomes the mean.
        layer: a class, or a score as :func:`geogaze.models.targets.parse_target` reads it; None
            for the best class.
        method: a key of :data:`geogaze.models.methods.METHODS`.

    Raises:
        UnknownClass: the model has no such class.
    """
    bundle, per_pixel = engine.bundle, METHODS[method].per_pixel
    size = bundle.input_size
    image = colours_of(chip.values, bundle.bands)
    whole = np.ascontiguousarray(filled(chip, bundle.mean).transpose(1, 2, 0))
    values, valid, inner = letterbox(whole, size)
    targets = (parse_target(layer, bundle),) if layer else None
    window = engine.prepare(values, valid, ((0.0, 1.0),))
    (result,) = engine.explain_tiles(window, [(0, 0)], targets, method)
    share = result.probabilities[0]
    probability = result.target_probability(targets[0])[0] if targets else share.max()
    order = np.argsort(-result.logits[0])
    ranking = [(bundle.classes[i], float(share[i])) for i in order]
    relu = np.maximum(result.evidence[0, 0], 0)
    if not per_pixel:
        to_lattice = resample_matrix(size, bundle.stride, bundle.cells)
        signed = to_lattice @ result.evidence[0, 0] @ to_lattice.T
        offset = lattice_offset(size, bundle.stride, bundle.cells, bundle.first_center)
        cell = (offset, offset, bundle.stride)
        relu = stretch(np.maximum(signed, 0), cell, (size, size))
    shown = relu[inner]
    peak = shown.max()
    heat = np.asarray(
        cv2.resize(shown / (peak or 1), image.shape[1::-1], interpolation=cv2.INTER_LINEAR),
        dtype=np.float32,
    )
    shown_name = layer_names((layer,), bundle)[0] if layer else ranking[0][0]
    overlay = lay_over(image, heat, DEFAULT)
    nowhere = None if result.nowhere is None else float(result.nowhere[0, 0])
    return PhotoExplanation(ranking, shown_name, float(probability), heat, overlay, nowhere)
