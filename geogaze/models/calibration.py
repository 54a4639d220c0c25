"""Whether a model's probabilities mean what they say, and the temperature by which they do.

Of the answers that a calibrated model gives with 80 %, 80 % are right (Guo et al. 2017,
arXiv:1706.04599). Each answer is a class by softmax, and by sigmoid a yes or no for each class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.models.bundles import Probabilities
from geogaze.models.targets import probabilities

LEAST_IMAGES = 20
"""Fewer cannot say how sure a model may be."""

_BINS = 15
_SHARPEST, _SOFTEST = 0.05, 20.0
_HALVINGS = 50


def fitted_temperature(
    logits: NDArray[np.float32], labels: NDArray[Any], rule: Probabilities
) -> float:
    """What logits are to be divided by, so that held-out answers are as likely as they can be.

    Likelihood has one peak in 1 / temperature, so halving finds it. Labels are softened by one
    wrong answer in n + 2, as Platt (1999) has it: a few images that are all right are no proof that
    the next one is.

    Args:
        logits: (n, classes) of images that the network did not learn by.
        labels: (n,) positions of classes, or (n, classes) of 0 and 1 by sigmoid.
        rule: ``softmax`` or ``sigmoid``.

    Returns:
        0.05 to 20.
    """
    scores = logits.astype(np.float64)
    wanted = _softened(labels, scores.shape, rule)

    def too_sharp(sharpness: float) -> bool:
        """Whether likelihood falls with 1 / temperature: more is expected than was seen."""
        expected = probabilities(scores, rule, 1 / sharpness)  # type: ignore[arg-type]
        return bool(((expected - wanted) * scores).sum() > 0)

    low, high = np.log(1 / _SOFTEST), np.log(1 / _SHARPEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if too_sharp(np.exp(middle)) else (middle, high)
    return float(np.exp(-(low + high) / 2))


def calibration(
    logits: NDArray[np.float32], labels: NDArray[Any], rule: Probabilities, temperature: float = 1
) -> tuple[float, list[dict[str, float | int]]]:
    """The expected calibration error, 0..1, and the curve that it is the area beside.

    Args:
        logits: as :func:`fitted_temperature`.
        labels: likewise.
        rule: likewise.
        temperature: of the probabilities.

    Returns:
        The mean distance of confidence and accuracy in fifteen equal bins of confidence, weighted
        by their answers; and of each bin that has some its bounds ``low`` and ``high``, its
        ``answers``, their mean ``confidence`` and their ``accuracy``.
    """
    return reliability(*answers(logits, labels, rule, temperature))


def answers(
    logits: NDArray[np.float32], labels: NDArray[Any], rule: Probabilities, temperature: float = 1
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How sure each answer is, and whether it is right; arguments as :func:`calibration`."""
    share = probabilities(logits, rule, temperature).astype(np.float64)
    if rule == "sigmoid":
        return np.maximum(share, 1 - share).ravel(), ((logits > 0) == (labels > 0.5)).ravel()
    return share.max(axis=1), logits.argmax(axis=1) == labels


def reliability(
    sure: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[float, list[dict[str, float | int]]]:
    """What :func:`calibration` returns, of answers that are so ``sure`` (n,) and ``right`` (n,)."""
    which = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    curve: list[dict[str, float | int]] = []
    error = 0.0
    for number in np.unique(which):
        here = which == number
        confidence, accuracy = float(sure[here].mean()), float(right[here].mean())
        count = int(here.sum())
        error += count / len(sure) * abs(confidence - accuracy)
        bounds = {"low": float(number / _BINS), "high": float((number + 1) / _BINS)}
        curve.append(bounds | {"answers": count, "confidence": confidence, "accuracy": accuracy})
    return error, curve


def _softened(
    labels: NDArray[Any], shape: tuple[int, ...], rule: Probabilities
) -> NDArray[np.float64]:
    """Labels as probabilities (n, classes) that are never 0 or 1."""
    count, classes = shape
    wrong = 1 / (count + 2)
    if rule == "sigmoid":
        return np.where(labels > 0.5, 1 - wrong, wrong)
    wanted = np.full(shape, wrong / max(1, classes - 1))
    wanted[np.arange(count), labels] = 1 - wrong
    return wanted
