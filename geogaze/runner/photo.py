"""Explaining one photograph or chip, as Grad-CAM was first shown."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geogaze.explain.engine import Engine
from geogaze.grid.resample import lattice_offset, resample_matrix
from geogaze.products.color import lay_over, stretch


@dataclass(frozen=True)
class PhotoExplanation:
    """What a model sees in a photograph.

    ``ranking`` holds (class, probability), best first; ``heat`` (h, w) 0..1 of ``shown``;
    ``overlay`` (h, w, 3) RGB.
    """

    ranking: list[tuple[str, float]]
    shown: str
    heat: NDArray[np.float32]
    overlay: NDArray[np.uint8]


def explain_photo(
    engine: Engine, image: NDArray[np.uint8], class_name: str | None
) -> PhotoExplanation:
    """Grad-CAM of one image, resized whole to the model's input.

    Args:
        engine: the model.
        image: (h, w, 3) RGB.
        class_name: whose evidence to show; None for the best class.

    Raises:
        UnknownClass: the model has no such class.
    """
    bundle = engine.bundle
    size = bundle.input_size
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    values = (np.asarray(small, dtype=np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
    classes = bundle.class_indices([class_name]) if class_name else None
    result = engine.explain(engine.normalise(values, np.ones((1, size, size), dtype=bool)), classes)
    share = result.probabilities[0]
    ranking = [(bundle.classes[i], float(share[i])) for i in np.argsort(-share)]
    to_lattice = resample_matrix(size, bundle.stride, bundle.cells)
    relu = np.maximum(to_lattice @ result.evidence[0, 0] @ to_lattice.T, 0)
    offset = lattice_offset(size, bundle.stride, bundle.cells, bundle.first_center)
    heat = stretch(
        (relu / max(relu.max(), np.finfo(np.float32).tiny)).astype(np.float32),
        (offset, offset, bundle.stride),
        (size, size),
    )
    width, height = image.shape[1], image.shape[0]
    full = np.asarray(
        cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )
    return PhotoExplanation(ranking, class_name or ranking[0][0], full, lay_over(image, full))
