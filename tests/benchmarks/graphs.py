"""Exported graphs in ONNX Runtime: is their evidence ours, and what does it cost beside logits?

python -m tests.benchmarks.graphs [--classes K] [ARCH …]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from geogaze.bench.networks import random_bundle
from geogaze.cores import usable_cores
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.cuts import cut_at
from geogaze.networks.export import write_whole_graph
from geogaze.networks.loading import load_model

_BATCH, _RUNS = 1, 31


def logits_alone(graph: Path) -> bytes:
    """The same graph without its evidence; what only that needs, the runtime leaves out."""
    model = onnx.load(graph)
    (logits,) = (output for output in model.graph.output if output.name == "logits")
    del model.graph.output[:]
    model.graph.output.append(logits)
    written: bytes = model.SerializeToString()
    return written


def session(model: bytes) -> onnxruntime.InferenceSession:
    """A graph, loaded on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def paired(
    first: onnxruntime.InferenceSession,
    second: onnxruntime.InferenceSession,
    images: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Median seconds of both, which take turns, and of the pairs' ratios second / first."""

    def seconds(graph: onnxruntime.InferenceSession) -> float:
        start = time.perf_counter()
        graph.run(None, {"image": images})
        return time.perf_counter() - start

    both = (first, second)
    for graph in both * 3:
        seconds(graph)
    pairs = []
    for run in range(_RUNS):
        took = {graph: seconds(graph) for graph in (both if run % 2 else both[::-1])}
        pairs.append((took[first], took[second]))
    ratio = median(b / a for a, b in pairs)
    return median(a for a, _ in pairs), median(b for _, b in pairs), ratio


def measure(architecture: str, classes: int) -> dict[str, Any]:
    """Export a network with random weights, and run it."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = random_bundle(Path(folder) / "bundle", architecture, classes)
        model = load_model(bundle)
        cut, path, size = cut_at(model), Path(folder) / "model.onnx", bundle.input_size
        write_whole_graph(model, cut, path, len(bundle.bands), size)
        whole, plain = session(path.read_bytes()), session(logits_alone(path))
    images = torch.randn(_BATCH, 3, size, size, generator=torch.Generator().manual_seed(1))
    logits, evidence = whole.run(["logits", "evidence"], {"image": images.numpy()})
    ours = explain(cut, images, own(range(classes)))
    plain_s, explained_s, ratio = paired(plain, whole, images.numpy())
    return {
        "arch": architecture,
        "classes": classes,
        "evidence_off": _off(evidence, ours.evidence.numpy()),
        "logits_off": _off(logits, ours.logits.numpy()),
        "logits_s": plain_s,
        "with_evidence_s": explained_s,
        "ratio": ratio,
    }


def _off(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """The largest difference, of the largest value."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def main() -> None:
    """Print one line of JSON for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architectures", nargs="*", default=["resnet50", "swin_t"])
    parser.add_argument("--classes", type=int, default=20)
    given = parser.parse_args()
    for architecture in given.architectures:
        print(json.dumps(measure(architecture, given.classes)), flush=True)


if __name__ == "__main__":
    main()
