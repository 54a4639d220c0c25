"""A network's trunk as torch runs it: in full precision or less, on a GPU as one CUDA graph."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal, Protocol

import structlog
import torch
from torch import Tensor, nn

from geogaze.errors import DeviceAbsent
from geogaze.evidence.device import GraphedTrunk

log = structlog.get_logger()

Precision = Literal["fp32", "tf32", "fp16", "bf16"]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def torch_name() -> str:
    """How results call torch, its version included."""
    return f"torch {torch.__version__.partition('+')[0]}"


class Trunk(Protocol):
    """From images to activations, whatever runs it.

    ``runtime`` names that, its version included; ``precision`` is what it computes in. Batches of
    more than ``most_tiles`` gain nothing; None: as many as memory holds.
    """

    runtime: str
    precision: Precision
    most_tiles: int | None

    def __call__(self, images: Tensor) -> Tensor:
        """Activations, float32, of normalised images (B, bands, H, W) float32, channels last.

        They may lie in memory that the next call writes into.
        """
        ...


def ran_by(trunk: Trunk | None) -> dict[str, str]:
    """``runtime`` and ``precision`` of a trunk, or of a network that torch runs whole."""
    if trunk is None:
        return {"runtime": torch_name(), "precision": "fp32"}
    return {"runtime": trunk.runtime, "precision": trunk.precision}


class TorchTrunk:
    """A trunk run by torch.

    Args:
        trunk: on its device, its parameters float32; not changed.
        precision: ``fp16`` and ``bf16`` of convolutions and products alone: sums and norms stay
            float32. ``tf32`` shortens what a GPU multiplies.
        tile: (H, W) of the images that come most; on a GPU they run as a CUDA graph.

    Raises:
        DeviceAbsent: the device has no such precision.
    """

    most_tiles: int | None = None

    def __init__(self, trunk: nn.Module, precision: Precision, tile: tuple[int, int]) -> None:
        self.runtime = torch_name()
        self.precision = precision
        self._device = next(trunk.parameters()).device
        self._tile = torch.Size(tile)
        on_gpu = self._device.type == "cuda"
        if precision == "tf32" and not on_gpu:
            raise DeviceAbsent(
                "TF32 is a precision of Nvidia's GPUs, and this device is a CPU. Set "
                "GEOGAZE_PRECISION to fp32, bf16 or auto."
            )
        self._exact = trunk
        self._trunk = narrowed(trunk, precision)
        self._graphed = GraphedTrunk(self._trunk) if on_gpu else None

    def __call__(self, images: Tensor) -> Tensor:
        """As :meth:`Trunk.__call__`; what fp16 cannot hold is computed again in float32."""
        with torch.no_grad(), multiplying(self.precision, self._device):
            of_tiles = images.shape[-2:] == self._tile
            run = self._graphed if self._graphed is not None and of_tiles else self._trunk
            activations: Tensor = run(images)
        if self.precision == "fp16" and not bool(torch.isfinite(activations).all()):
            log.warning("fp16 overflowed: computed again in fp32", images=len(images))
            with torch.no_grad():
                activations = self._exact(images)
        return activations.float()


def narrowed(trunk: nn.Module, precision: Precision) -> nn.Module:
    """A trunk whose convolutions and products keep their weights as autocast wants them.

    The trunk itself where its precision is float32's. What other modules keep (running variances
    above 65,504, for one) would not survive, and stays float32.
    """
    if precision not in _DTYPES:
        return trunk
    narrow = copy.deepcopy(trunk)
    for module in narrow.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(_DTYPES[precision])
    return narrow


@contextmanager
def multiplying(precision: Precision, device: torch.device) -> Iterator[None]:
    """Convolutions and products in a precision, sums and norms in float32.

    The cache of cast weights is off, for it cannot be kept inside a CUDA graph.
    """
    autocast = (
        torch.autocast(device.type, _DTYPES[precision], cache_enabled=False)
        if precision in _DTYPES
        else nullcontext()
    )
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if device.type == "cuda":
        shorter = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = shorter
    try:
        with autocast:
            yield
    finally:
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
