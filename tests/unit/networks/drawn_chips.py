"""Small drawn chips and a small network that learns them, for tests of training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from geogaze.config import Settings
from geogaze.networks.architectures import offer, withdraw
from geogaze.networks.training import Recipe
from geogaze.scene.chips import Wanted, chip_values

RECIPE = Recipe(
    architecture="drawn-net",
    init="random",
    epochs=2,
    warm_up_epochs=1,
    batch_size=8,
    learning_rate=1e-2,
    input_size=32,
    workers=0,
)

read = partial(
    chip_values, wanted=Wanted(RECIPE.bands, scaled=True), mean=RECIPE.mean, settings=Settings()
)


class Net(nn.Module):
    """Four convolutions, one after the other; some dropout. Bundles have no graph of it, which
    would take a second each.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        sizes = [(3, 8, 4), (8, 8, 1), (8, 8, 1), (8, 12, 2)]
        layers = [nn.Sequential(nn.Conv2d(a, b, s, s), nn.ReLU()) for a, b, s in sizes]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Tanh(), nn.Dropout(0.1)),
            nn.Linear(12, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(images))
        return logits


@pytest.fixture
def drawn_net() -> Iterator[None]:
    offer("drawn-net", Net)
    yield
    withdraw("drawn-net")


def quiet(phase: str, done: int, of: int, loss: float) -> None:
    pass


def draw(folder: Path, levels: dict[str, int], count: int = 8, noise: float = 10) -> Path:
    """Class folders of noisy grey images."""
    rng = np.random.default_rng(len(str(folder)))
    for name, level in levels.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            values = np.clip(level + rng.normal(0, noise, (1, 1, 3)), 0, 255)
            values = np.clip(values + rng.normal(0, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(values).save(folder / name / f"{i}.png")
    return folder
