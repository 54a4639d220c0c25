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
    """Grad-CAM of one image, shown whole and undistorted to the model, padded with the mean.

    Args:
        engine: the model.
        image: (h, w, 3) RGB.
        class_name: whose evidence to show; None for the best class.

    Raises:
        UnknownClass: the model has no such class.
    """
    bundle = engine.bundle
    size = bundle.input_size
    values, valid, inner = _letterbox(image, size)
    classes = bundle.class_indices([class_name]) if class_name else None
    result = engine.explain(engine.normalise(values[None], valid[None]), classes)
    share = result.probabilities[0]
    ranking = [(bundle.classes[i], float(share[i])) for i in np.argsort(-share)]
    to_lattice = resample_matrix(size, bundle.stride, bundle.cells)
    relu = np.maximum(to_lattice @ result.evidence[0, 0] @ to_lattice.T, 0)
    offset = lattice_offset(size, bundle.stride, bundle.cells, bundle.first_center)
    shown = stretch(relu, (offset, offset, bundle.stride), (size, size))[inner]
    peak = shown.max()
    heat = np.asarray(
        cv2.resize(shown / (peak or 1), image.shape[1::-1], interpolation=cv2.INTER_LINEAR),
        dtype=np.float32,
    )
    return PhotoExplanation(ranking, class_name or ranking[0][0], heat, lay_over(image, heat))


def _letterbox(
    image: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[slice, slice]]:
    """An image (h, w, 3) in the middle of a square: values (3, size, size) in 0..1, which pixels
    are image, and where it lies.
    """
    height, width = image.shape[:2]
    shrink = size / max(height, width)
    rows, cols = max(1, round(height * shrink)), max(1, round(width * shrink))
    top, left = (size - rows) // 2, (size - cols) // 2
    inner = slice(top, top + rows), slice(left, left + cols)
    values = np.zeros((3, size, size), dtype=np.float32)
    small = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
    values[:, *inner] = np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 255
    valid = np.zeros((size, size), dtype=bool)
    valid[inner] = True
    return values, valid, inner
