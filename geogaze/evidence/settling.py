"""Trying precisions of the trunk on tiles of the job at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geogaze.evidence.precision import Agreement, Answers, quickest_agreeing
from geogaze.evidence.routes import explain_activations
from geogaze.evidence.runtimes.trunk import Precision, Trunk
from geogaze.models.targets import Target, own
from geogaze.networks.split import Split

MOST_TRIED = 256
"""Tiles that precisions are tried on."""

LOWER: tuple[Precision, ...] = ("fp16", "tf32", "bf16")
"""What may be quicker than fp32 on a GPU."""

_BATCH = 32


def settle(
    cut: Split,
    trunk_of: Callable[[Precision], Trunk],
    tiles: Tensor,
    classes: int,
    asked: Precision | None,
) -> tuple[Trunk, dict[Precision, Agreement]]:
    """The trunk in the precision to use, and how lower ones agreed with fp32.

    Args:
        cut: the network.
        trunk_of: its trunk in a precision, the same each time.
        tiles: (n, bands, T, T), normalised.
        classes: how many the network tells apart; heat of all of them is compared.
        asked: the precision; None for the quickest that agrees with fp32.
    """

    def answer(precision: Precision) -> Answers:
        return answers(cut, trunk_of(precision), tiles, own(range(classes)))

    chosen, agreed = quickest_agreeing(answer, "fp32", LOWER if asked is None else (asked,))
    return trunk_of(asked or chosen), agreed


def answers(cut: Split, trunk: Trunk, tiles: Tensor, targets: Sequence[Target]) -> Answers:
    """What a network says of tiles (n, bands, T, T), by one of its trunks, and how long that took.

    Args:
        cut: the network; its head computes in float32.
        trunk: the trunk's runtime and precision.
        tiles: normalised.
        targets: the scores whose evidence is compared.
    """
    _wait(tiles)
    trunk(tiles[:_BATCH])  # warm
    logits, evidence = [], []
    seconds = 0.0
    for batch in tiles.split(_BATCH):
        _wait(tiles)
        start = time.perf_counter()
        activations = trunk(batch)
        _wait(tiles)
        seconds += time.perf_counter() - start
        found = explain_activations(cut, activations, targets)
        logits.append(found.logits.cpu())
        evidence.append(found.evidence.cpu())
    return Answers(torch.cat(logits).numpy(), torch.cat(evidence).numpy(), seconds)


def _wait(tiles: Tensor) -> None:
    if tiles.is_cuda:
        torch.cuda.synchronize(tiles.device)
