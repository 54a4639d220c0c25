"""What evidence is asked for: a class, one class rather than another, or all but a class.

A score is linear in the logits, so its evidence costs no more than a class's own: the map of
``airplane vs runway`` is the map of the difference of the two logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geogaze.bundles import Bundle

Target = tuple[int | None, int | None]
"""``(plus, minus)``: the score logit[plus] - logit[minus], where None leaves a term out."""

_VERSUS = " vs "
_NOT = "not "


def parse_target(name: str, bundle: Bundle) -> Target:
    """The target that a layer's name stands for.

    ``ship`` is the class's own score, ``ship vs harbor`` the evidence for one class rather than
    the other, ``not ship`` the evidence against a class (Selvaraju et al. 2017, "counterfactual
    explanations"). A class that is itself called so comes first.

    Raises:
        UnknownClass: the model has no such class.
    """
    if name not in bundle.classes:
        plus, versus, minus = name.partition(_VERSUS)
        if versus:
            first, second = bundle.class_indices([plus.strip(), minus.strip()])
            return first, second
        if name.startswith(_NOT):
            return None, bundle.class_indices([name.removeprefix(_NOT).strip()])[0]
    return bundle.class_indices([name])[0], None


def own(indices: Sequence[int]) -> tuple[Target, ...]:
    """The targets of classes' own scores."""
    return tuple((index, None) for index in indices)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax of logits (n, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def target_probability(share: NDArray[np.float32], target: Target) -> NDArray[np.float32]:
    """How probable a target is, by the class probabilities ``share`` (n, classes).

    A class's own probability; of two classes, that it is the first, given it is one of them; or
    that it is not the class.
    """
    plus, minus = target
    if plus is None:
        result: NDArray[np.float32] = 1 - share[:, minus]
    elif minus is None:
        result = share[:, plus]
    else:
        both = share[:, plus] + share[:, minus]
        result = np.divide(
            share[:, plus], both, out=np.full_like(both, 0.5), where=both > 0, dtype=np.float32
        )
    return result
