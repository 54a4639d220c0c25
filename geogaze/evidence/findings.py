"""What is said of a network at the door, and what is found of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from geogaze.evidence.routes import Route
from geogaze.models.bundles import Probabilities
from geogaze.networks.registration import Registration


@dataclass(frozen=True)
class Said:
    """What is said of a network: names of its logits and bands, the side of its images in pixels,
    the layer to look at (None: its own) and how logits become probabilities (None: as it ends).
    """

    classes: tuple[str, ...]
    bands: tuple[str, ...]
    input_size: int
    layer: str | None = None
    task: Probabilities | None = None


@dataclass(frozen=True)
class Admitted:
    """What was found of a network.

    ``stripped`` is the module that made probabilities and was taken off. ``half`` says that half
    precision changes nothing that shows. ``logits`` (2, K) are its scores of ``images``. ``checks``
    are the names of what was seen to hold. ``labels_pixels`` says that it labels those, not images.
    """

    task: Probabilities
    stripped: str | None
    registration: Registration
    layer: str
    route: Route
    half: bool
    images: Tensor
    logits: Tensor
    checks: tuple[str, ...]
    labels_pixels: bool = False

    def told(self) -> str:
        """One line: ``13 bands, 10 logits (sigmoid), channel-shift at layer4, cells of 32 px``."""
        bands, classes = self.images.shape[1], self.logits.shape[1]
        task = "no probabilities" if self.task == "none" else self.task
        line = (
            f"{bands} band{'s' * (bands != 1)}, {'segmentation, ' * self.labels_pixels}"
            f"{classes} logit{'s' * (classes != 1)} ({task}), "
            f"{self.route} at {self.layer}, cells of {self.registration.stride} px"
        )
        if self.stripped:
            line += f"; {self.stripped}, which made probabilities of the logits, was taken off"
        if not self.half:
            line += "; stored in full precision, as half of it would change the scores"
        return line
