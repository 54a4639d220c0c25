"""Graphs for tiles of one size, each by itself and several at once. No torch here.

A batch's activations leave the processor's caches between layers, and a batch's threads wait for
each other after every layer. One tile in each stream does neither: of thirteen networks eleven were
2 to 26 % quicker, and RegNet as quick. A graph for one shape saves what working out shapes takes at
each call.

VGG16's dense layers are 480 MB that one tile after another would read: graphs like it get a few
tiles together.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geogaze.evidence.runtimes.openvino import Precision, compiled, read_graph

if TYPE_CHECKING:
    import openvino

_WAITING = 2  # for each that is computed: the next one is there when one is done
_TOGETHER = 8  # tiles, where dense layers are read
_MANY_BYTES = 128 << 20  # of dense layers: more than caches hold, too long to read for one tile
_ROWS = 2  # axes: images, values


class TileGraph:
    """A graph compiled for images of one size. One at a time asks it.

    Args:
        model: what OpenVINO has read or converted; or the file of an ONNX or IR graph.
        tile: (H, W) of the images.
        precision: of what happens inside; ``bf16`` only gains where the processor has it.
        threads: that it computes by; 0: as many as there are cores to use.

    Raises:
        DeviceAbsent: OpenVINO is not installed.
        RuntimeError: OpenVINO cannot read or run the graph.
    """

    def __init__(
        self,
        model: openvino.Model | Path,
        tile: tuple[int, int],
        precision: Precision = "fp32",
        threads: int = 0,
    ) -> None:
        self.precision = precision
        graph = read_graph(model) if isinstance(model, Path) else model
        self._together = _TOGETHER if _dense_bytes(graph) > _MANY_BYTES else 1
        self._asked = graph, tile, threads
        self._requests: list[openvino.InferRequest] | None = self._made()

    def _made(self) -> list[openvino.InferRequest]:
        model, tile, threads = self._asked
        images = 1 if self._together == 1 else -1
        graph = compiled(model, self.precision, threads, (images, *tile))
        streams: int = graph.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        return [graph.create_infer_request() for _ in range(_WAITING * streams)]

    def stream(self, images: Iterable[NDArray[np.float32]]) -> Generator[list[NDArray[np.float32]]]:
        """Run the graph on images, several at once; they are taken when their turn comes.

        Args:
            images: each (H, W, bands) float32, normalised.

        Yields:
            Of each image, in order, the graph's outputs without the axis of images, copied.

        Raises:
            RuntimeError: OpenVINO failed, for want of memory perhaps. The next call begins anew.
        """
        free = deque(self._requests or self._made())
        self._requests = None  # those that have failed never run again, whatever they are given
        every = list(free)
        running: deque[openvino.InferRequest] = deque()
        well = False
        try:
            for few in self._groups(images):
                if not free:
                    yield from _outputs(request := running.popleft())
                    free.append(request)
                # Shared: the request holds the array until it is given another.
                free[0].start_async({0: few}, share_inputs=True)
                running.append(free.popleft())
            while running:
                yield from _outputs(running.popleft())
            well = True
        except GeneratorExit:  # whoever asked wants no more
            well = True
            raise
        finally:
            for request in running:
                with suppress(RuntimeError):  # told is the first
                    request.wait()
            if well:
                self._requests = every

    def _groups(self, images: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """What one call gets: (N, H, W, bands) of one image or of a few."""
        given = iter(images)
        while few := list(islice(given, self._together)):
            yield np.stack(few) if len(few) > 1 else np.ascontiguousarray(few[0])[None]

    def __call__(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The graph's outputs for images (N, H, W, bands) float32, normalised.

        Raises:
            RuntimeError: as :meth:`stream`.
        """
        with closing(self.stream(images)) as each:
            return [np.stack(parts) for parts in zip(*each, strict=True)]


def _dense_bytes(model: openvino.Model) -> int:
    """Bytes of the weights that are read for one row of an image: its dense layers'."""
    total = 0
    for layer in model.get_ordered_ops():
        if layer.get_type_name() == "MatMul" and len(layer.get_output_partial_shape(0)) == _ROWS:
            for factor in layer.inputs():
                weights = factor.get_source_output()
                shape = weights.get_partial_shape()
                if shape.is_static:  # nothing of it comes with an image
                    total += weights.get_element_type().size * math.prod(shape.to_shape())
    return total


def _outputs(request: openvino.InferRequest) -> Iterator[list[NDArray[np.float32]]]:
    """Of each image of a call, once it is done."""
    request.wait()
    found = [output.data.copy() for output in request.output_tensors]
    yield from (list(parts) for parts in zip(*found, strict=True))
