"""How a network is trained: all that one may choose, and nothing that is found out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Probabilities, Ranges
from geogaze.networks.bundling import IMAGENET_MEAN, IMAGENET_STD

Depth = Literal["frozen", "last", "full"]
"""How much of the trunk is trained: nothing, the last quarter of its blocks, or all."""


@dataclass(frozen=True)
class Recipe:
    """How to train. ``init`` is imagenet, random, a checkpoint or another model, by its name or its
    folder; ``gsd`` is metres per pixel of the images at ``input_size``; ``bands``,
    ``mean``, ``std``, ``rescale`` and ``task`` are the bundle's, see
    :class:`geogaze.models.bundles.Bundle`.

    ``validation`` is the share of images that are held out of training for early stopping and the
    temperature, where the data has no part for it; 0 for none. ``patience`` is after how many
    epochs without a lower loss on them training stops, and the best epoch is kept; 0 for never.
    ``balance`` weighs each class as if there were as many images of it as of any other.
    """

    architecture: str = "mobilenet_v2"
    init: str = "imagenet"
    depth: Depth = "full"
    epochs: int = 12
    warm_up_epochs: int = 2
    patience: int = 0
    validation: float = 0.0
    balance: bool = False
    batch_size: int = 32
    learning_rate: float = 1e-4
    input_size: int = 224
    gsd: float | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    bands: tuple[str, ...] = ("red", "green", "blue")
    rescale: Ranges | None = None
    task: Probabilities = "softmax"
    seed: int = 0
    workers: int = 2
    device: str = "cpu"

    def check(self) -> None:
        """Refuse what could not be trained.

        Raises:
            InvalidRequest: says what, and what to do.
        """
        if self.task == "none":
            raise InvalidRequest("Classes are trained with --task softmax or sigmoid.")
        if self.init == "random" and self.depth != "full":
            raise InvalidRequest(
                f"A trunk that begins at random and is {self.depth!r} would stay so: train all of "
                "it (--trunk full), or start from a trained one (--init)."
            )
        if not 0 <= self.validation <= 0.5:
            raise InvalidRequest(f"--validation is a share from 0 to 0.5, not {self.validation}.")

    @property
    def said(self) -> dict[str, Any]:
        """For JSON: all that decides what comes out, but for the data."""
        elsewhere = {"workers", "device"}
        return {key: value for key, value in asdict(self).items() if key not in elsewhere}
