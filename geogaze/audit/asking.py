"""What a network says of pictures that are no part of any scene, such as edited tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from geogaze.audit.balance import Floats
from geogaze.audit.edits import Picture
from geogaze.evidence.explainer import Explainer
from geogaze.models.targets import Target, least

_AT_ONCE = 32


@dataclass(frozen=True)
class Answer:
    """Of n pictures: ``logits`` (n, classes), ``evidence`` (n, K, g, g) of the targets asked for,
    both float64, and ``present`` (n, classes): which class is the picture's, or which are.
    """

    logits: Floats
    evidence: Floats
    present: NDArray[np.bool_]


def ask(engine: Explainer, pictures: Sequence[Picture], targets: Sequence[Target]) -> Answer:
    """Logits and evidence of pictures (bands, T, T) in 0..1.

    Args:
        engine: the model.
        pictures: of the model's own size, at least one.
        targets: the scores to explain.
    """
    logits, evidence, present = [], [], []
    waiting = iter(pictures)
    while batch := list(islice(waiting, _AT_ONCE)):
        strip = np.concatenate(batch, axis=1)
        size = batch[0].shape[1]
        window = engine.prepare(strip, np.ones(strip.shape[1:], bool), ((0.0, 1.0),))
        corners = [(i * size, 0) for i in range(len(batch))]
        for found in engine.explain_tiles(window, corners, targets):
            logits.append(found.logits)
            evidence.append(found.evidence)
            if (share := least(found.rule)) is not None:
                present.append(found.probabilities >= share)
            else:
                present.append(found.logits == found.logits.max(axis=1, keepdims=True))
    return Answer(
        np.concatenate(logits).astype(np.float64),
        np.concatenate(evidence).astype(np.float64),
        np.concatenate(present),
    )
