"""A loaded model on a device: pixels of a window in, logits and evidence of its tiles out."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor

from geogaze.errors import HostOutOfMemory, InvalidBundle, OutOfMemory
from geogaze.evidence.batches import Batches, Clock
from geogaze.evidence.device import faults_as_ours, is_out_of_memory, on_device, pick_device
from geogaze.evidence.explainer import Corner
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.prepare import pixels_at_once, quicken, tiles_at_once, working_bytes
from geogaze.evidence.results import BatchResult
from geogaze.evidence.routes import Evidence, explain, explain_activations
from geogaze.evidence.runtimes.choice import Runtime, pick_trunk
from geogaze.evidence.runtimes.trunk import Precision, Trunk, ran_by
from geogaze.evidence.settling import MOST_TRIED, settle
from geogaze.evidence.shared import TileGroup
from geogaze.evidence.upload import Uploader
from geogaze.models.agreement import Agreement, figures_of, keep_agreement
from geogaze.models.bundles import Bundle
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target
from geogaze.networks.cuts import cut_at
from geogaze.networks.loading import load_model
from geogaze.networks.logits import logits_of
from geogaze.networks.regions import labelled, regions_of
from geogaze.networks.split import Split

log = structlog.get_logger()

_BACKWARD_SHARE = 8  # a backward pass through the network holds every layer at once

_TURN = threading.Lock()
"""Held by the thread whose tiles the device explains."""


@dataclass(frozen=True)
class EngineOptions:
    """What of the settings makes an engine another: see :class:`geogaze.config.Settings`."""

    device: str = "auto"
    precision: Literal["auto", "fp32", "tf32", "fp16", "bf16"] = "auto"
    batch_size: int = 0
    runtime: Runtime = "auto"
    kept_in: Path | None = None
    threads: int = 0


class Engine:
    """One bundle on one device. Threads share it; one at a time has the device."""

    def __init__(self, bundle: Bundle, options: EngineOptions) -> None:
        self.bundle = bundle
        self.device = pick_device(options.device)
        on_gpu = self.device.type == "cuda"
        self._regions = regions_of(bundle)
        cut = labelled(cut_at(load_model(bundle), bundle.module), self._regions)
        self._options = options
        self.agreement: dict[Precision, Agreement] = {}
        self.trunk: Trunk | None = None
        self._settled = not isinstance(cut, Split)
        if isinstance(cut, Split):
            cut = quicken(cut)
            cut.trunk.to(self.device)
            cut.head.to(self.device)
            asked = "fp32" if options.precision == "auto" else options.precision
            self.trunk = self._trunk_of(cut, asked)
            self._settled = asked == "fp32" and not (on_gpu and options.precision == "auto")
        else:
            cut.model.to(self.device).to(memory_format=torch.channels_last)
        self.cut = cut
        self.batches = Batches(
            self.device, bundle, lambda: options.batch_size or self._fitting_tiles()
        )
        self._uploader = Uploader(bundle.mean, bundle.std, self.device)

    @cached_property
    def _tile_bytes(self) -> int:
        """Memory that one tile takes in the trunk, roughly."""
        size = self.bundle.input_size
        shape = (1, len(self.bundle.bands), size, size)

        def measure() -> int:
            return working_bytes(self.cut.trunk, torch.zeros(shape, device=self.device))

        return on_device(measure)

    def _fitting_tiles(self) -> int:
        most = self.trunk.most_tiles if self.trunk else None
        return tiles_at_once(self._tile_bytes, self.device, most)

    @property
    def ran(self) -> dict[str, Any]:
        """What runs the network: ``runtime``, ``precision``, ``agreement`` of lower ones if any."""
        agreement = figures_of(self.agreement)
        return ran_by(self.trunk) | ({"agreement": agreement} if agreement else {})

    def _trunk_of(self, cut: Split, precision: Precision) -> Trunk:
        options = self._options
        return pick_trunk(
            cut,
            self.bundle,
            options.runtime,
            precision,
            device=self.device,
            cache=options.kept_in,
            threads=options.threads,
        )

    def _settle(self, window: Tensor, corners: Sequence[Corner]) -> None:
        """Choose the precision by what it does to these tiles, or say what the one asked for does.

        Once; each engine sees tiles of its own first.
        """
        if self._settled or not isinstance(cut := self.cut, Split):
            return
        self._settled = True
        size, step = self.bundle.input_size, max(1, len(corners) // MOST_TRIED)
        tried = [window[:, :, r : r + size, c : c + size] for r, c in corners[::step][:MOST_TRIED]]
        asked = self._options.precision
        self.trunk, self.agreement = settle(
            cut,
            cache(partial(self._trunk_of, cut)),
            torch.cat(tried),
            len(self.bundle.classes),
            None if asked == "auto" else asked,
        )
        for precision, agreed in self.agreement.items():
            log.info("precision tried", precision=precision, agreement=str(agreed))
        if self._options.kept_in is not None:
            keep_agreement(self.bundle, self.agreement, self._options.kept_in)

    @cached_property
    def _pixel_network(self) -> PixelNetwork:
        # As published: captum looks for its ReLUs.
        model = load_model(self.bundle).to(self.device)
        return PixelNetwork(labelled(cut_at(model, self.bundle.module), self._regions))

    def prepare(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        rescale: Sequence[tuple[float, float]],
    ) -> Tensor:
        """Upload a window and normalise it there; any thread may, whoever has the device.

        Args:
            values: (bands, H, W), any real dtype.
            valid: (H, W), or (bands, H, W); what is not becomes 0, the mean.
            rescale: values that become 0 and 1, one pair, or one for each band.

        Returns:
            (1, bands, H, W) float32, channels last, on the device.

        Raises:
            HostOutOfMemory: so large a window does not fit beside the network; half of it may.
            DeviceBroke: the device failed.
        """
        height, width = valid.shape[-2:]
        try:
            with faults_as_ours(f"a window of {height} × {width} pixels"):
                return self._uploader.upload(values, valid, rescale)
        except OutOfMemory as error:
            raise HostOutOfMemory(str(error)) from error

    def explain_tiles(
        self,
        window: Tensor,
        corners: Sequence[Corner],
        targets: Sequence[Target] | None,
        method: str = "gradcam",
    ) -> Generator[BatchResult]:
        """Logits and maps of tiles of a window, batch by batch, in order.

        Args:
            window: (1, bands, H, W), from :meth:`prepare`.
            corners: n tiles inside the window.
            targets: K scores, or None for each tile's own best class.
            method: a key of :data:`geogaze.models.methods.METHODS`.

        Raises:
            OutOfMemory: not even one tile fits.
        """
        size = self.bundle.input_size

        def compute(tiles: NDArray[np.int64]) -> Evidence:
            places = [corners[i] for i in tiles]
            images = torch.cat([window[:, :, r : r + size, c : c + size] for r, c in places])
            if METHODS[method].per_pixel:
                return self._pixel_network.explain(images, targets, method)
            return self.explain_batch(images, targets, method)

        with self._turn():
            on_device(self._settle, window, corners)
            share = _BACKWARD_SHARE if METHODS[method].per_pixel else 1
            yield from self.batches.run(np.arange(len(corners)), compute, share=share)

    def explain_shared(
        self,
        window: Tensor,
        corners: Sequence[Corner],
        targets: Sequence[Target] | None,
        method: str = "gradcam",
    ) -> Generator[BatchResult]:
        """As :meth:`explain_tiles`, but the trunk runs once over the window, not once per tile.

        What a tile sees at its border is then its real neighbourhood instead of zero padding.

        Args:
            window: (1, bands, H, W) with the bundle's halo (pixels) around all tiles.
            corners: n tiles at whole strides from each other.
            targets: K scores, or None for each tile's own best class.
            method: a class activation map of :data:`geogaze.models.methods.METHODS`.

        Raises:
            OutOfMemory: not even one tile fits.
        """
        size, halo = self.bundle.input_size, self.bundle.halo
        cut = self.cut
        assert isinstance(cut, Split), "plans ask for this"
        assert halo is not None, "plans ask for this"
        with self._turn():
            on_device(self._settle, window, corners)
            limit = pixels_at_once(self._tile_bytes / size**2, self.device)
            waiting = [TileGroup.of(np.array(corners), size, halo)]
            while waiting:
                block = waiting.pop()
                if block.pixels > limit and block.divisible:
                    waiting.extend(reversed(block.halves()))
                    continue
                rows, cols = block.window
                clock = on_device(Clock, self.device)
                try:
                    shared = on_device(self._activations, window[:, :, rows, cols])
                except RuntimeError as error:
                    if not (is_out_of_memory(error) and block.divisible):
                        raise
                    limit = block.pixels - 1
                    waiting.append(block)
                    continue
                slices = partial(self._slices, cut, shared, block, targets, method)
                yield from self.batches.run(block.tiles, slices, clock)

    def _slices(
        self,
        cut: Split,
        shared: Tensor,
        block: TileGroup,
        targets: Sequence[Target] | None,
        method: str,
        tiles: NDArray[np.int64],
    ) -> Evidence:
        side, stride = self.bundle.cells, self.bundle.stride
        pieces = [
            shared[:, :, row : row + side, col : col + side]
            for row, col in block.offsets(tiles) // stride
        ]
        return explain_activations(cut, torch.cat(pieces), targets, method)

    def _activations(self, images: Tensor) -> Tensor:
        assert self.trunk is not None, "networks that were cut have one"
        return self.trunk(images)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with _TURN, faults_as_ours("one tile"):
            if self.device.type == "cuda":
                on_device(torch.cuda.set_device, self.device)  # each thread has its own
            yield

    def within(self, places: NDArray[np.bool_]) -> AbstractContextManager[None]:
        """See :class:`geogaze.evidence.explainer.LabelsPixels`."""
        assert self._regions is not None, "asked of networks that label pixels"
        return self._regions.within(torch.from_numpy(places)[None, None].to(self.device))

    def logits(self, images: Tensor) -> Tensor:
        """Plain inference: logits (B, classes) of normalised images (B, bands, T, T)."""
        with torch.inference_mode():
            if isinstance(self.cut, Split):
                result = self.cut.head(self._activations(images))
            else:
                result = self.cut.model(images)
                result = self.cut.finish(result) if self.cut.finish else result
        return logits_of(result, len(images))

    def explain_batch(
        self, images: Tensor, targets: Sequence[Target] | None, method: str = "gradcam"
    ) -> Evidence:
        """Logits and maps of normalised images (B, bands, T, T), still on the device.

        Raises:
            InvalidBundle: the layer's grid is not the one that the bundle tells.
        """
        if isinstance(self.cut, Split) and not METHODS[method].of_attention:
            activations = self._activations(images)
            explanation = explain_activations(self.cut, activations, targets, method)
        else:
            explanation = explain(self.cut, images, targets, method)
        cells = self.bundle.cells
        if explanation.evidence.shape[2:] != (cells, cells):
            rows, cols = explanation.evidence.shape[2:]
            raise InvalidBundle(
                f"The layer {self.bundle.module!r} of {self.bundle.name!r} has {rows} × {cols} "
                f"activations for a tile; its item.json says {cells} × {cells}. Import it anew."
            )
        return explanation
