"""From pixels on the host to a normalised window on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geogaze.evidence.device import on_device
from geogaze.scaling import unit_range


class Uploader:
    """Uploads windows, on a GPU on a stream of its own, beside the work on the one before."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._std = torch.tensor(std, device=device)[:, None, None]

    def upload(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        rescale: Sequence[tuple[float, float]],
    ) -> Tensor:
        """As :meth:`geogaze.evidence.engine.Engine.prepare`."""
        # Bytes travel as bytes. Torch lacks some of GDAL's other types, and float32 their digits.
        if values.dtype != np.uint8:
            values, rescale = unit_range(values, rescale), ((0.0, 1.0),)
        pixels, known = torch.from_numpy(values), torch.from_numpy(valid)
        if self._stream is None:
            return on_device(self._normalised, pixels, known, rescale)
        with torch.cuda.stream(self._stream):
            window = self._normalised(
                pixels.pin_memory().to(self._device, non_blocking=True),
                known.pin_memory().to(self._device, non_blocking=True),
                rescale,
            )
        self._stream.synchronize()
        window.record_stream(torch.cuda.default_stream(self._device))
        return window

    def _normalised(
        self, pixels: Tensor, known: Tensor, rescale: Sequence[tuple[float, float]]
    ) -> Tensor:
        # Differences in float64: a narrow range far from 0 has no width in float32.
        limits = torch.tensor(rescale, dtype=torch.float64)
        low = limits[:, 0].float().to(self._device)[:, None, None]
        width = (limits[:, 1] - limits[:, 0]).float().clamp_min(torch.finfo().tiny)
        width = width.to(self._device)[:, None, None]
        scaled = pixels.float().sub_(low).div_(width).clamp_(0, 1)
        scaled.sub_(self._mean).div_(self._std).masked_fill_(~known, 0)
        return scaled[None].contiguous(memory_format=torch.channels_last)
