"""What a network answers to a set of images, and how right that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from geogaze.errors import GeogazeError
from geogaze.models.bundles import Probabilities
from geogaze.models.calibration import calibration
from geogaze.networks.logits import logits_of
from geogaze.networks.training.chips import Chips
from geogaze.networks.training.recipe import Recipe

Progress = Callable[[str, int, int, float], None]
"""Told a phase, images done, of how many, and the running loss."""


@dataclass(frozen=True)
class Answers:
    """``logits`` (n, classes) float32; ``labels`` (n,) int64 by the rule softmax, (n, classes) of 0
    and 1 by sigmoid.
    """

    logits: NDArray[np.float32]
    labels: NDArray[Any]
    rule: Probabilities

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes), rows the truth and columns the answer; by sigmoid (classes, 2, 2), of
        no and yes for each class.
        """
        classes = self.logits.shape[1]
        if self.rule == "sigmoid":
            which = np.broadcast_to(np.arange(classes), self.logits.shape)
            table = np.zeros((classes, 2, 2), np.int64)
            np.add.at(table, (which, self.labels.astype(int), (self.logits > 0).astype(int)), 1)
            return table
        table = np.zeros((classes, classes), np.int64)
        np.add.at(table, (self.labels, self.logits.argmax(axis=1)), 1)
        return table

    @property
    def accuracy(self) -> float:
        """The share of answers that are right, 0..1."""
        table = self.confusion
        return float(table.diagonal(axis1=-2, axis2=-1).sum() / table.sum())

    @property
    def loss(self) -> float:
        """Mean negative log likelihood of the labels, nats."""
        logits, labels = torch.from_numpy(self.logits), torch.from_numpy(self.labels)
        function = (
            nn.functional.binary_cross_entropy_with_logits
            if self.rule == "sigmoid"
            else nn.functional.cross_entropy
        )
        return float(function(logits, labels))

    def recall(self, classes: tuple[str, ...]) -> dict[str, float | None]:
        """Of the images of each class the share that is found; None where there are none."""
        table = self.confusion
        if self.rule == "sigmoid":
            found, there = table[:, 1, 1], table[:, 1].sum(axis=1)
        else:
            found, there = table.diagonal(), table.sum(axis=1)
        return {
            name: float(hit / of) if of else None
            for name, hit, of in zip(classes, found, there, strict=True)
        }

    def calibrated(self, temperature: float) -> dict[str, Any]:
        """The calibration error by a temperature and without, and its curve, for JSON."""
        error, curve = calibration(self.logits, self.labels, self.rule, temperature)
        raw, _ = calibration(self.logits, self.labels, self.rule)
        return {"temperature": temperature, "ece": error, "ece_before": raw, "curve": curve}


@torch.no_grad()
def answers_to(
    chips: Chips, model: nn.Module, recipe: Recipe, progress: Progress, phase: str
) -> Answers:
    """What a network, as it is in use, answers to images."""
    model.eval()
    found, labels, done = [], [], 0
    for images, truth in plainly(batches_of(chips, recipe)):
        found.append(logits_of(model(images.to(recipe.device)), len(images)).float().cpu())
        labels.append(truth)
        done += len(truth)
        progress(phase, done, len(chips), 0.0)
    return Answers(torch.cat(found).numpy(), torch.cat(labels).numpy(), recipe.task)


def batches_of(chips: Chips, recipe: Recipe, *, learned: bool = False) -> DataLoader[Any]:
    """Batches of images and labels; those that are learned in another order each time."""
    return DataLoader(
        chips,
        recipe.batch_size,
        shuffle=learned,
        num_workers=recipe.workers,
        drop_last=learned and len(chips) > recipe.batch_size,
    )


def plainly(loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches; of an error of ours in another process, what it says and not where."""
    try:
        yield from loader
    except GeogazeError as error:
        said = str(error).strip().splitlines()[-1]
        name = f"{type(error).__module__}.{type(error).__qualname__}: "
        raise type(error)(said.removeprefix(name)) from error
