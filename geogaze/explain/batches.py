"""A batch of tiles on its way over the device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from geogaze.explain.gradcam import Explanation
from geogaze.targets import probabilities

Compute = Callable[[NDArray[np.int64]], Explanation]
"""Explains the tiles at some positions."""


@dataclass(frozen=True)
class BatchResult:
    """Of some tiles of a window.

    ``tiles`` (n,) int64 are positions among the corners asked for; ``logits`` (n, classes) and
    signed ``evidence`` (n, K, g, g) are float32; ``path`` says how the gradient was had.
    """

    tiles: NDArray[np.int64]
    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]
    path: str

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits (n, classes)."""
        return probabilities(self.logits)


class Running:
    """A batch on its way: computed, or being computed on a GPU, and downloaded as one block."""

    def __init__(self, tiles: NDArray[np.int64], compute: Compute, clock: Clock) -> None:
        self._tiles = tiles
        self._clock = clock
        found = compute(tiles)
        self._path, self._shape = found.path, found.evidence.shape
        self._packed = torch.cat([found.logits, found.evidence.flatten(1)], dim=1)
        self._classes = found.logits.shape[1]
        if self._packed.is_cuda:
            here = torch.empty(self._packed.shape, dtype=self._packed.dtype, pin_memory=True)
            self._packed = here.copy_(self._packed, non_blocking=True)
        self._clock.stop()

    def fetch(self) -> tuple[BatchResult, float]:
        """The result, and the seconds that the device was at it."""
        seconds = self._clock.seconds()  # waits for the download
        packed = self._packed.numpy()
        evidence = packed[:, self._classes :].reshape(self._shape)
        return BatchResult(self._tiles, packed[:, : self._classes], evidence, self._path), seconds


class Clock:
    """Time on the device, from now to :meth:`stop`."""

    def __init__(self, device: torch.device) -> None:
        self._events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None
        if device.type == "cuda":
            self._events = (
                torch.cuda.Event(enable_timing=True),
                torch.cuda.Event(enable_timing=True),
            )
            self._events[0].record()
        self._start = self._end = time.perf_counter()

    def stop(self) -> None:
        """Note that all work has been handed to the device."""
        if self._events:
            self._events[1].record()
        self._end = time.perf_counter()

    def seconds(self) -> float:
        """Wait for the device; the time that it took."""
        if self._events:
            self._events[1].synchronize()
            return float(self._events[0].elapsed_time(self._events[1])) / 1000
        return self._end - self._start
