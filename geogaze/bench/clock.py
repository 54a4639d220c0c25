"""Timing on a machine that others use too: pairs, medians, and a ceiling from the same minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

_WARM_UP = 2
_CEILING_SIDE = {"cpu": 2048, "cuda": 8192}
_CEILING_RUNS = 8


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of work, until the device is done with it."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def paired(
    first: Callable[[], object], second: Callable[[], object], device: torch.device, runs: int
) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the pairs' ratios second / first.

    They take turns in going first, so that neither gains from a machine that speeds up.
    """
    for work in (first, second) * _WARM_UP:
        work()
    pairs = []
    for run in range(runs):
        if run % 2:
            late = seconds(second, device)
            pairs.append((seconds(first, device), late))
        else:
            pairs.append((seconds(first, device), seconds(second, device)))
    ratio = median(b / a for a, b in pairs)
    return median(a for a, _ in pairs), median(b for _, b in pairs), ratio


def ceiling_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of the best of a few large matrix products.

    On a CPU by the BLAS and by oneDNN, which convolves: on some processors (AVX-512 by AMD) the
    BLAS reaches half of what the other does.
    """
    side = _CEILING_SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    products: list[Callable[[], object]] = [lambda: left @ right]
    if device.type == "cpu" and dtype is torch.float32 and torch.backends.mkldnn.is_available():
        packed, weight = left.to_mkldnn(), right.to_mkldnn()
        products.append(lambda: torch.nn.functional.linear(packed, weight))
    best = min(seconds(product, device) for product in products for _ in range(_CEILING_RUNS))
    return 2 * side**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
