"""A loaded model on a device: scene values in, logits and evidence out."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from geogaze.bundles import Bundle
from geogaze.errors import InvalidBundle, InvalidRequest
from geogaze.explain.architectures import split
from geogaze.explain.gradcam import explain
from geogaze.explain.loading import load_model

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h


@dataclass(frozen=True)
class BatchResult:
    """Of B images: ``logits`` (B, classes) and signed ``evidence`` (B, K, g, g), float32."""

    logits: NDArray[np.float32]
    evidence: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits (B, classes)."""
        shifted = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return result


class Engine:
    """Grad-CAM with one bundle on one device."""

    def __init__(self, bundle: Bundle, device: str) -> None:
        self.bundle = bundle
        self.device = torch.device(device)
        model = load_model(bundle).to(self.device)
        self._split = split(model)
        if self._split.layer != bundle.layer:
            raise InvalidBundle(
                f"Bundle {bundle.name!r} asks for layer {bundle.layer!r}; {bundle.architecture} is "
                f"explained at {self._split.layer!r}."
            )
        self._mean = np.array(bundle.mean, dtype=np.float32)[:, None, None]
        self._std = np.array(bundle.std, dtype=np.float32)[:, None, None]

    def normalise(
        self, values: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Values (B, bands, T, T) in 0..1 to model input; pixels not ``valid`` (B, T, T) become
        0, the mean.
        """
        normal = (values - self._mean) / self._std
        normal *= valid[:, None]
        return normal

    def explain(self, images: NDArray[np.float32], classes: tuple[int, ...] | None) -> BatchResult:
        """Logits and evidence of normalised images (B, bands, T, T).

        Args:
            images: model inputs.
            classes: K positions in the logits, or None for each image's own best class.
        """
        batch = torch.from_numpy(images).to(self.device)
        result = explain(self._split, batch, classes)
        return BatchResult(result.logits.cpu().numpy(), result.evidence.cpu().numpy())


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of activations instead of giving it back after every layer.

    Page faults on fresh memory otherwise cost as much time as small convolutions do.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**30)


def pick_device(device: str) -> str:
    """``auto`` made concrete: a GPU where there is one."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


@lru_cache(maxsize=2)
def load_engine(bundle: Bundle, device: str, threads: int) -> Engine:
    """An engine, kept for the next unit of the same model.

    Args:
        bundle: the model.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 leaves torch's choice.

    Raises:
        InvalidRequest: the device is not there.
    """
    _keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    try:
        return Engine(bundle, pick_device(device))
    except RuntimeError as error:
        raise InvalidRequest(f"The device {device!r} cannot be used: {error}") from error
