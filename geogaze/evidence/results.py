"""What an engine answers of a batch of tiles. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geogaze.models.bundles import Rule
from geogaze.models.targets import Target, probabilities, target_probability


@dataclass(frozen=True)
class BatchResult:
    """Of some tiles of a window.

    ``tiles`` (n,) int64 are positions among the corners asked for; ``logits`` (n, classes) and
    signed ``evidence`` (n, K, g, g) are float32; ``route`` says how the gradient was had, ``rule``
    how logits, divided by ``temperature``, become probabilities. By the rule ``shares`` they are
    shares of pixels instead.
    ``nowhere`` (n, K) float32 is what tokens on no place give to the scores, in logits; None where
    there are none.
    """

    tiles: NDArray[np.int64]
    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    route: str
    rule: Rule = "softmax"
    nowhere: NDArray[np.float32] | None = None
    temperature: float = 1

    @property
    def best(self) -> NDArray[np.int64]:
        """The position (n,) of the class with the highest logit."""
        best: NDArray[np.int64] = self.logits.argmax(axis=1)
        return best

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Of the classes (n, classes); NaN where the model gives none."""
        return probabilities(self.logits, self.rule, self.temperature)

    def target_probability(self, target: Target) -> NDArray[np.float32]:
        """How probable a target is (n,); NaN where the model gives no probabilities."""
        return target_probability(self.probabilities, target, self.rule)
