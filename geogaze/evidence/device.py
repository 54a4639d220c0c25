"""The device that a network runs on: which, how much memory it has left, CUDA graphs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

import psutil
import torch
from torch import Tensor, nn

from geogaze.errors import DeviceAbsent, DeviceBroke, OutOfMemory
from geogaze.evidence.heap import keep_freed_memory

_WARM_UP_RUNS = 3
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "ALLOC_FAILED",
    "bad_alloc",
)
_BROKEN = ("CUDA error", "CUDA driver error", "cuDNN error", "CUDNN_", "CUBLAS_", "HIP error")

T = TypeVar("T")
P = ParamSpec("P")


def on_device(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Do work of the device's on the one thread that does such work, and wait for it.

    OpenMP keeps a team of threads for each thread that asks for one, and as soon as there are more
    of them than cores, it lets them sleep instead of spin between layers: a tenth of the speed.
    """
    if threading.current_thread().name.startswith("device"):
        return work(*args, **options)
    here = copy_context()  # the log names the unit there too
    return _DEVICE.submit(here.run, partial(work, *args, **options)).result()


# Made here, once: lanes that ask for the first time at the same moment must not get one each.
_DEVICE = ThreadPoolExecutor(1, thread_name_prefix="device", initializer=keep_freed_memory)


def pick_device(device: str) -> torch.device:
    """``auto`` made concrete: a GPU where there is one.

    Raises:
        DeviceAbsent: torch knows no such device, or this machine has none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise DeviceAbsent(f"The device {device!r} cannot be used: {error}") from error
    if picked.type == "cuda" and (picked.index or 0) >= (count := torch.cuda.device_count()):
        raise DeviceAbsent(
            f"The device {device!r} cannot be used: torch sees {count} GPUs here. Name another in "
            "GEOGAZE_DEVICE, or look at the driver."
        )
    return picked


def free_bytes(device: torch.device) -> int:
    """Memory that can still be had on the device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + held)
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory, on a GPU or on the host."""
    message = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(word in message for word in _NO_MEMORY)


@contextmanager
def faults_as_ours(what: str) -> Iterator[None]:
    """Raise what a device throws as an error of ours.

    Args:
        what: what the device has too little memory for, should it have.

    Raises:
        OutOfMemory: it has.
        DeviceBroke: it failed; whatever follows in this process would fail too.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"The device has no room for {what}: {error}. Use a smaller network, or a device "
                "with more memory."
            ) from error
        if is_broken(error):
            raise DeviceBroke(
                f"The device failed: {error}. Its worker starts afresh; if this comes again, look "
                "at the machine's driver and GPU."
            ) from error
        raise


def is_broken(error: RuntimeError) -> bool:
    """Whether the device failed, not the work: a CUDA context, for one, does not recover."""
    return isinstance(error, torch.AcceleratorError) or any(word in str(error) for word in _BROKEN)


class GraphedTrunk(nn.Module):
    """A trunk replayed as one CUDA graph: one launch instead of hundreds.

    A smaller batch than the one captured is padded with what lies there; a larger one, or another
    size of image, is captured anew. The result is valid until the next call.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self._graph: torch.cuda.CUDAGraph | None = None
        self._input = self._output = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        """Activations (B, C, g, g) of images (B, bands, T, T)."""
        count, fixed = len(images), self._input
        if self._graph is None or count > len(fixed) or images.shape[1:] != fixed.shape[1:]:
            self._capture(images)
        assert self._graph is not None
        self._input[:count].copy_(images)
        self._graph.replay()
        return self._output[:count]

    def _capture(self, images: Tensor) -> None:
        self._graph = None  # frees the former one's memory
        self._output = torch.empty(0)
        self._input = images.clone(memory_format=torch.channels_last)
        side = torch.cuda.Stream(images.device)
        side.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_RUNS):  # cuDNN chooses its algorithms
                self.trunk(self._input)
        torch.cuda.current_stream(images.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads may upload meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._output = self.trunk(self._input)
        self._graph = graph
