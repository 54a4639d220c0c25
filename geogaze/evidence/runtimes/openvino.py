"""Graphs run by OpenVINO on a CPU. No torch here."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from geogaze.cores import usable_cores
from geogaze.errors import DeviceAbsent

if TYPE_CHECKING:
    import openvino

_ANY = -1
_HINTS = {"fp32": "f32", "bf16": "bf16"}

Precision = Literal["fp32", "bf16"]


def openvino_present() -> bool:
    """Whether OpenVINO is installed. It is not imported for that."""
    return find_spec("openvino") is not None


@cache
def _core() -> openvino.Core:
    """The one plug-in manager of the process.

    Raises:
        DeviceAbsent: OpenVINO is not installed.
    """
    if not openvino_present():
        raise DeviceAbsent(
            "The runtime 'openvino' is not installed here. Install it: pip install "
            "'geogaze[openvino]', or leave GEOGAZE_RUNTIME at 'auto'."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own business
        import openvino

        return openvino.Core()


def openvino_name() -> str:
    """How results call the runtime, its version included."""
    from importlib.metadata import version

    return f"openvino {version('openvino')}"


class Graph:
    """A compiled graph of one input, for images of any size. Calls are one at a time; another call
    ends their results.

    Args:
        model: what OpenVINO has read or converted; or the file of an ONNX or IR graph.
        precision: of what happens inside; ``bf16`` only gains where the processor has it.
        threads: that it computes by; 0: as many as there are cores to use.

    Raises:
        DeviceAbsent: OpenVINO is not installed.
        RuntimeError: OpenVINO cannot read or run the graph.
    """

    def __init__(
        self, model: openvino.Model | Path, precision: Precision = "fp32", threads: int = 0
    ) -> None:
        self.precision = precision
        self._model, self._threads = model, threads
        self._request: openvino.InferRequest | None = self._compiled()

    def _compiled(self) -> openvino.InferRequest:
        return compiled(self._model, self.precision, self._threads).create_infer_request()

    def __call__(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the graph.

        Args:
            images: (N, H, W, bands) float32, normalised, contiguous.

        Returns:
            The graph's outputs, in their order, in memory that the next call writes into.

        Raises:
            RuntimeError: OpenVINO failed, for want of memory perhaps. The next call begins anew.
        """
        request = self._request or self._compiled()
        self._request = None  # one that has failed never runs again, whatever it is given
        # Not request.infer(): by one thread it keeps what has failed to itself, gives the
        # outputs of the call before, and runs it again for whoever infers next.
        request.start_async({0: images}, share_inputs=True)
        request.wait()
        self._request = request
        return [output.data for output in request.output_tensors]


def compiled(
    model: openvino.Model | Path,
    precision: Precision,
    threads: int,
    images: tuple[int, int, int] = (_ANY, _ANY, _ANY),
) -> openvino.CompiledModel:
    """A graph for the CPU that takes images whose bands are last.

    Args:
        model: what OpenVINO has read or converted; or the file of an ONNX or IR graph.
        precision: of what happens inside.
        threads: that it computes by; 0: as many as there are cores to use.
        images: (N, H, W) that a call gets, -1 for any. One image: several calls run at once; more:
            one call by all threads.

    Raises:
        DeviceAbsent: OpenVINO is not installed.
        RuntimeError: OpenVINO cannot read or run the graph.
    """
    return _core().compile_model(
        _images_last(
            read_graph(model) if isinstance(model, Path) else model.clone(),
            images,
        ),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "THROUGHPUT" if images[0] == 1 else "LATENCY",
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "ENABLE_CPU_PINNING": False,  # two workers would be pinned to the same cores
        },
    )


def read_graph(path: Path) -> openvino.Model:
    """A graph from its file, ONNX or IR.

    Raises:
        DeviceAbsent: OpenVINO is not installed.
        RuntimeError: OpenVINO cannot read it.
    """
    model: openvino.Model = _core().read_model(path)
    return model


def _images_last(model: Any, images: tuple[int, int, int]) -> openvino.Model:
    """The graph with bands last, as pixels are laid out, for ``images`` (N, H, W), -1 for any."""
    from openvino import Layout
    from openvino.preprocess import PrePostProcessor

    shape = model.input(0).get_partial_shape()
    shape[0], shape[2], shape[3] = images
    model.reshape({model.input(0): shape})
    steps = PrePostProcessor(model)
    steps.input().tensor().set_layout(Layout("NHWC"))
    steps.input().model().set_layout(Layout("NCHW"))
    laid_out: openvino.Model = steps.build()
    return laid_out
