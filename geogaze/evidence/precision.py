"""What a lower precision of the trunk changes, and which one changes little enough. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from geogaze.models.agreement import Agreement

P = TypeVar("P")

_QUANTILE = 0.999


class Answers(NamedTuple):
    """What a network says of n tiles: ``logits`` (n, classes), ``evidence`` (n, K, g, g), and in
    how many ``seconds``.
    """

    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    seconds: float


def agreement(exact: Answers, found: Answers) -> Agreement:
    """Compare answers with those in fp32, on the same tiles.

    Heat is what a job of just these tiles would show: each class's positive evidence by its 99.9th
    percentile. Answers that are not finite agree with nothing.
    """
    tiles = len(exact.logits)
    if not (np.isfinite(found.logits).all() and np.isfinite(found.evidence).all()):
        return Agreement(0.0, float("inf"), tiles)
    same = float((exact.logits.argmax(axis=1) == found.logits.argmax(axis=1)).mean())
    off = [
        np.abs(np.maximum(ours, 0) - np.maximum(theirs, 0)) / scale
        for ours, theirs in zip(
            exact.evidence.swapaxes(0, 1), found.evidence.swapaxes(0, 1), strict=True
        )
        if (scale := _scale(ours)) > 0
    ]
    return Agreement(same, float(np.quantile(np.stack(off), _QUANTILE)) if off else 0.0, tiles)


def _scale(evidence: NDArray[np.float32]) -> float:
    positive = evidence[evidence > 0]
    return float(np.quantile(positive, _QUANTILE)) if positive.size else 0.0


def quickest_agreeing(
    answer: Callable[[P], Answers], exact: P, candidates: Sequence[P]
) -> tuple[P, dict[P, Agreement]]:
    """The quickest precision that agrees with the exact one; that one itself, where it is.

    Args:
        answer: what the network says of some tiles, by precision.
        exact: the precision that others are compared with.
        candidates: lower ones to try.

    Returns:
        The precision, and how each of the others agreed.
    """
    right = answer(exact)
    found = {precision: answer(precision) for precision in candidates}
    agreed = {precision: agreement(right, answers) for precision, answers in found.items()}
    seconds = {exact: right.seconds} | {
        precision: found[precision].seconds for precision in candidates if agreed[precision].holds
    }
    return min(seconds, key=seconds.__getitem__), agreed
