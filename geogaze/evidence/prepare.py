"""Making a network quick without changing what it computes, and sizing its batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from geogaze.evidence.device import free_bytes
from geogaze.networks.split import Split

_WORKING_SET = 4  # a layer's input and output, and the scratch memory of its convolution
_SHARE_OF_FREE = 0.4
_MOST_TILES = {"cpu": 32, "cuda": 256}  # more gain nothing
_MOST_PIXELS = 12_000_000  # of one window in scene context


def quicken(cut: Split) -> Split:
    """Fold batch normalisation into convolutions, and lay memory out channels-last.

    What comes out differs from the network's own activations by rounding. Only torchvision's
    networks are folded: their forward is known to be traceable. What is not folded is laid out
    in place.
    """
    trunk = fuse(cut.trunk) if _foldable(cut.trunk) else cut.trunk
    return replace(cut, trunk=trunk.to(memory_format=torch.channels_last))


def _foldable(trunk: nn.Module) -> bool:
    """Whether folding is exact: torchvision's modules, each in one place and without hooks."""
    modules = [module for _, module in trunk.named_modules(remove_duplicate=False)]
    known = ("torch.", "torchvision.", "geogaze.")
    return (
        any(isinstance(module, nn.BatchNorm2d) for module in modules)
        and all(type(module).__module__.startswith(known) for module in modules)
        and len(set(modules)) == len(modules)
        and not any(m._forward_hooks or m._forward_pre_hooks for m in modules)  # noqa: SLF001
    )


class _LargestOutput(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch left it untyped
        self.size: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.size = max(self.size, out.numel() * out.element_size())
        return out


def working_bytes(network: nn.Module, image: Tensor) -> int:
    """Memory that one more image (1, bands, T, T) in the batch takes, roughly."""
    with torch.no_grad(), _LargestOutput() as seen:
        network(image)
    return int(_WORKING_SET * seen.size)


def tiles_at_once(bytes_per_tile: int, device: torch.device, most: int | None = None) -> int:
    """Tiles in one batch: a power of two that free memory holds, and no more than pays.

    Args:
        bytes_per_tile: see :func:`working_bytes`.
        device: where the batch is to be.
        most: more gain nothing; None for what holds of torch.
    """
    fitting = max(1, int(free_bytes(device) * _SHARE_OF_FREE) // bytes_per_tile)
    return min(most or _MOST_TILES[device.type], 1 << (fitting.bit_length() - 1))


def pixels_at_once(bytes_per_pixel: float, device: torch.device) -> int:
    """Pixels of one window that free memory holds."""
    return min(_MOST_PIXELS, int(free_bytes(device) * _SHARE_OF_FREE / bytes_per_pixel))


def count_flops(network: nn.Module, image: Tensor) -> int:
    """Floating-point operations (2 for a multiply-add) of one image (1, bands, T, T)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return int(counter.get_total_flops())
