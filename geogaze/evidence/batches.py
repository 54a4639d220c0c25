"""Batches of tiles on their way over the device, as large as memory allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import cached_property
from math import prod

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from geogaze.evidence.device import is_out_of_memory, on_device
from geogaze.evidence.results import BatchResult
from geogaze.evidence.routes import Evidence
from geogaze.models.bundles import Bundle
from geogaze.timing import TIMING

log = structlog.get_logger()

Compute = Callable[[NDArray[np.int64]], Evidence]
"""Explains the tiles at some positions."""


class Running:
    """A batch on its way: computed, or being computed on a GPU, and downloaded as one block."""

    def __init__(
        self, tiles: NDArray[np.int64], compute: Compute, clock: Clock, bundle: Bundle
    ) -> None:
        self._tiles = tiles
        self._clock = clock
        self._bundle = bundle
        explanation = compute(tiles)
        self._route, self._shape = explanation.route, explanation.evidence.shape
        said = explanation.logits if explanation.shares is None else explanation.shares
        beside = [] if explanation.nowhere is None else [explanation.nowhere]
        self._packed = torch.cat([said, explanation.evidence.flatten(1), *beside], dim=1)
        self._classes = explanation.logits.shape[1]
        if self._packed.is_cuda:
            here = torch.empty(self._packed.shape, dtype=self._packed.dtype, pin_memory=True)
            self._packed = here.copy_(self._packed, non_blocking=True)
        self._clock.stop()

    def fetch(self) -> tuple[BatchResult, float]:
        """The result, and the seconds that the device was at it."""
        seconds = self._clock.seconds()  # waits for the download
        packed = self._packed.numpy()
        logits = packed[:, : self._classes]
        last = self._classes + prod(self._shape[1:])
        evidence = packed[:, self._classes : last].reshape(self._shape)
        nowhere = packed[:, last:] if packed.shape[1] > last else None
        said = self._bundle.rule, nowhere, self._bundle.temperature
        return BatchResult(self._tiles, logits, evidence, self._route, *said), seconds


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


class Batches:
    """Runs tiles over the device, one batch behind: a batch is fetched once the next one runs."""

    def __init__(self, device: torch.device, bundle: Bundle, first_size: Callable[[], int]) -> None:
        self._device = device
        self._bundle = bundle
        self._first_size = first_size
        self.busy_seconds = 0.0

    @cached_property
    def size(self) -> int:
        """Tiles in one forward, halved when memory did not hold them."""
        return self._first_size()

    def run(
        self, tiles: NDArray[np.int64], compute: Compute, clock: Clock | None = None, share: int = 1
    ) -> Generator[BatchResult]:
        """Results in order.

        Args:
            tiles: positions to compute.
            compute: explains some of them, on the device's thread.
            clock: one that runs already; what it has seen is part of the first batch.
            share: how many times smaller than for inference batches must be.

        Raises:
            RuntimeError: not even one tile fits, or the device failed.
        """
        running: Running | None = None
        start = 0
        while start < len(tiles):
            batch = tiles[start : start + max(1, self.size // share)]
            try:
                launched = on_device(self._launch, batch, compute, clock)
            except RuntimeError as error:
                if not is_out_of_memory(error) or len(batch) == 1:
                    raise
                self.size = max(1, len(batch) * share // 2)
                log.warning("out of memory: smaller batches", batch_size=self.size)
                continue
            if running:
                yield self._fetched(running)
            running, clock = launched, None
            start += len(batch)
        if running:
            yield self._fetched(running)

    def _launch(self, tiles: NDArray[np.int64], compute: Compute, clock: Clock | None) -> Running:
        return Running(tiles, compute, clock or Clock(self._device), self._bundle)

    def _fetched(self, running: Running) -> BatchResult:
        result, seconds = running.fetch()
        self.busy_seconds += seconds
        TIMING.add("network", seconds)
        return result
