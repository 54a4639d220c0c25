"""A bundle's exported graph as an engine: OpenVINO and numpy, no torch.

The graph gives the evidence of every class beside the logits (see
:mod:`geogaze.networks.export`), so a tile's maps are slices and differences of what comes out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from geogaze.errors import (
    DeviceBroke,
    HostOutOfMemory,
    InvalidBundle,
    OutOfMemory,
    UnsupportedArchitecture,
)
from geogaze.evidence.explainer import Corner
from geogaze.evidence.results import BatchResult
from geogaze.evidence.runtimes.openvino import openvino_name
from geogaze.evidence.runtimes.tilewise import TileGraph
from geogaze.files import file_sha256
from geogaze.models.bundles import GRAPH_FILE, WEIGHTS_FILE, Bundle
from geogaze.models.proof import Proof, known_image
from geogaze.models.targets import Target
from geogaze.scaling import unit_range
from geogaze.timing import TIMING

log = structlog.get_logger()

_BATCH = 8  # tiles between two looks at whether to go on
_NO_MEMORY = ("alloc", "memory")
_TURN = threading.Lock()


class GraphEngine:
    """One bundle's graph on a CPU; see :class:`geogaze.evidence.explainer.Explainer`.

    Args:
        bundle: with a graph.
        batch_size: tiles that are handed on together; 0: a few.
        threads: that it computes by; 0: as many as there are cores to use.

    Raises:
        InvalidBundle: a file is missing, is not the one described, or cannot be run.
        UnsupportedArchitecture: OpenVINO gives something else than the bundle says.
        OutOfMemory: not even one tile fits.
        DeviceBroke: OpenVINO failed.
        DeviceAbsent: OpenVINO is not installed.
    """

    def __init__(self, bundle: Bundle, batch_size: int = 0, threads: int = 0) -> None:
        self.bundle = bundle
        self._batch = batch_size or _BATCH
        folder = _checked(bundle)
        try:
            tile = bundle.input_size, bundle.input_size
            self._graph = TileGraph(folder / GRAPH_FILE, tile, "fp32", threads)
        except RuntimeError as error:
            raise InvalidBundle(
                f"OpenVINO cannot run {folder / GRAPH_FILE}: {error}. Import the weights anew, or "
                "set GEOGAZE_RUNTIME to torch."
            ) from error
        self._prove()
        self._mean = np.array(bundle.mean, dtype=np.float32)
        self._std = np.array(bundle.std, dtype=np.float32)

    def _prove(self) -> None:
        """Try the graph on the image that its bundle tells of.

        Raises:
            UnsupportedArchitecture: OpenVINO gives something else than the bundle says.
            OutOfMemory: not even one tile fits.
            DeviceBroke: OpenVINO failed.
        """
        wanted = self.bundle.proof
        if wanted is None:  # it was written when bundles had none
            return
        image = known_image(len(self.bundle.bands), self.bundle.input_size)
        try:
            found = self.explain_batch(np.ascontiguousarray(image.transpose(0, 2, 3, 1)))
        except RuntimeError as error:
            raise _as_ours(error) from error
        if not wanted.held_by(Proof.of(*found)):
            raise UnsupportedArchitecture(
                f"{openvino_name()} on this machine gives other evidence for "
                f"{self.bundle.name!r} than its network does. Set GEOGAZE_RUNTIME to torch."
            )

    @property
    def ran(self) -> dict[str, Any]:
        """What runs the network: ``runtime`` and ``precision``."""
        return {"runtime": openvino_name(), "precision": "fp32"}

    def prepare(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        rescale: Sequence[tuple[float, float]],
    ) -> NDArray[np.float32]:
        """A window (H, W, bands) float32, normalised; arguments as the protocol's.

        Raises:
            HostOutOfMemory: so large a window does not fit beside the network; half of it may.
        """
        try:
            return self._prepared(values, valid, rescale)
        except (MemoryError, cv2.error) as error:
            rows, cols = valid.shape[-2:]
            raise HostOutOfMemory(
                f"Memory ran out for a window of {rows} × {cols} pixels: {error}"
            ) from error

    def _prepared(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        rescale: Sequence[tuple[float, float]],
    ) -> NDArray[np.float32]:
        if values.dtype == np.uint8:
            # Of bytes there are few: each band's are normalised once, and looked up.
            every = np.broadcast_to(np.arange(256, dtype=np.uint8), (len(values), 1, 256))
            tables = self._normalised(unit_range(every, rescale))
            window = cv2.LUT(_last(values), np.ascontiguousarray(tables.transpose(1, 2, 0)))
        else:
            window = _last(self._normalised(unit_range(values, rescale)))
        window = np.asarray(window, dtype=np.float32).reshape(*values.shape[1:], len(values))
        if not valid.all():
            window[~np.broadcast_to(valid, values.shape).transpose(1, 2, 0)] = 0
        return window

    def _normalised(self, share: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values (bands, …) in 0..1 as the network takes them."""
        mean, std = (one[:, None, None] for one in (self._mean, self._std))
        return np.asarray((share.astype(np.float32) - mean) / std, dtype=np.float32)

    def explain_tiles(
        self,
        window: NDArray[np.float32],
        corners: Sequence[Corner],
        targets: Sequence[Target] | None,
        method: str = "gradcam",
    ) -> Generator[BatchResult]:
        """Logits and maps of tiles of a window, batch by batch, in order; arguments as the
        protocol's.

        Raises:
            OutOfMemory: not even one tile fits.
            DeviceBroke: OpenVINO failed.
        """
        assert method == "gradcam", "others go to torch"
        size, given = self.bundle.input_size, iter(range(len(corners)))
        images = (window[r : r + size, c : c + size] for r, c in corners)
        with _TURN, closing(self._graph.stream(images)) as answers:
            while len(tiles := np.fromiter(islice(given, self._batch), dtype=np.int64)):
                begun = time.perf_counter()
                try:
                    found = list(islice(answers, len(tiles)))
                except RuntimeError as error:
                    raise _as_ours(error) from error
                TIMING.add("network", time.perf_counter() - begun)
                logits, evidence = (np.stack(parts) for parts in zip(*found, strict=True))
                yield BatchResult(
                    tiles,
                    logits,
                    _scores(evidence, targets, logits),
                    "channel-shift",
                    self.bundle.probabilities,
                    temperature=self.bundle.temperature,
                )

    def explain_batch(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Logits (n, classes) and evidence of all classes (n, classes, g, g) of normalised images
        (n, T, T, bands).

        Raises:
            RuntimeError: OpenVINO failed, for want of memory perhaps.
        """
        return self._graph(images)


def _as_ours(error: RuntimeError) -> OutOfMemory | DeviceBroke:
    """A failure of OpenVINO's for one tile."""
    if any(word in str(error).lower() for word in _NO_MEMORY):
        return OutOfMemory(f"Memory ran out for one tile: {error}")
    return DeviceBroke(f"OpenVINO failed: {error}")


def _last(bands: NDArray[Any]) -> NDArray[Any]:
    """Bands (bands, H, W) as (H, W, bands); one band stays (H, W)."""
    if len(bands) in {2, 3, 4}:
        return np.asarray(cv2.merge([np.ascontiguousarray(band) for band in bands]))
    return np.ascontiguousarray(bands.transpose(1, 2, 0)) if len(bands) > 1 else bands[0]


def _scores(
    evidence: NDArray[np.float32],
    targets: Sequence[Target] | None,
    logits: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Maps (n, K, g, g) of scores, from those of all classes (n, classes, g, g)."""
    if targets is None:
        best = logits.argmax(axis=1)
        own: NDArray[np.float32] = evidence[np.arange(len(best)), best][:, None]
        return own
    plus = [index for index, minus in targets if minus is None and index is not None]
    if len(plus) == len(targets):
        return np.asarray(evidence[:, plus])
    nothing = np.zeros_like(evidence[:, 0])
    return np.stack(
        [
            (nothing if plus is None else evidence[:, plus])
            - (nothing if minus is None else evidence[:, minus])
            for plus, minus in targets
        ],
        axis=1,
    )


def _checked(bundle: Bundle) -> Path:
    """The bundle's folder, whose files are those that its item describes.

    Raises:
        InvalidBundle: they are not.
    """
    assert bundle.folder is not None, "bundles with graphs have one"
    for name, wanted in ((WEIGHTS_FILE, bundle.weights), (GRAPH_FILE, bundle.graph)):
        path = bundle.folder / name
        if not path.is_file():
            raise InvalidBundle(f"{path} is missing from the bundle {bundle.name!r}.")
        if (stored := f"sha256:{file_sha256(path)}") != wanted:
            raise InvalidBundle(f"{path} has {stored}, but its item.json says {wanted}.")
    return bundle.folder
