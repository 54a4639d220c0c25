"""Trying precisions of the trunk on tiles of the job at hand, or of a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geogaze.evidence.precision import Answers, agreement, quickest_agreeing
from geogaze.evidence.prepare import quicken
from geogaze.evidence.routes import explain_activations
from geogaze.evidence.runtimes.rounded import HALVES, Half, RoundedTrunk
from geogaze.evidence.runtimes.trunk import Precision, TorchTrunk, Trunk
from geogaze.models.agreement import Agreement
from geogaze.models.targets import Target, own
from geogaze.networks.captured import Captured
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


def measure(cut: Split | Captured, tiles: Tensor, classes: int) -> dict[Half, Agreement]:
    """How half precisions agree with fp32 on tiles.

    On a GPU by computing in them, else by rounding as it does.

    Args:
        cut: the network, on the device of the tiles; one that is not cut in two runs in fp32 alone,
            and nothing is measured.
        tiles: (n, bands, T, T), normalised; no more than some hundred are looked at.
        classes: how many the network tells apart; heat of all of them is compared.
    """
    if not isinstance(cut, Split):
        return {}
    cut = quicken(cut)
    size = (tiles.shape[-2], tiles.shape[-1])
    tiles = tiles[:: -(-len(tiles) // MOST_TRIED)].contiguous(memory_format=torch.channels_last)

    def answer(trunk: Trunk) -> Answers:
        return answers(cut, trunk, tiles, own(range(classes)))

    def narrow(precision: Half) -> Trunk:
        if tiles.is_cuda:
            return TorchTrunk(cut.trunk, precision, size)
        return RoundedTrunk(cut.trunk, precision)

    exact = answer(TorchTrunk(cut.trunk, "fp32", size))
    return {precision: agreement(exact, answer(narrow(precision))) for precision in HALVES}


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
