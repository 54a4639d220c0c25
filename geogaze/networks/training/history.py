"""What became of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """``number`` counts from 1 over all phases. ``loss`` is the mean of the training's batches;
    ``held_out_loss``, nats, and ``held_out_accuracy``, 0..1, are of images that it did not see,
    None where none are held out. ``rate`` is the last step's of the last layer.
    """

    number: int
    phase: str
    loss: float
    rate: float
    held_out_loss: float | None = None
    held_out_accuracy: float | None = None

    @property
    def said(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def figures(self) -> dict[str, float]:
        """Those that curves are of, by the names of these; what has no value is left out."""
        named = {
            "loss/training": self.loss,
            "loss/held out": self.held_out_loss,
            "accuracy/held out": self.held_out_accuracy,
            "rate": self.rate,
        }
        return {name: value for name, value in named.items() if value is not None}


def best_of(epochs: Sequence[Epoch]) -> Epoch | None:
    """The first with the lowest loss on held-out images; None where none were."""
    judged = [epoch for epoch in epochs if epoch.held_out_loss is not None]
    return min(judged, key=lambda epoch: epoch.held_out_loss or 0, default=None)
