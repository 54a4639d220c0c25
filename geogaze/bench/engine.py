"""What explaining costs over plain inference, against other libraries and the machine's ceiling."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from geogaze.bench.clock import ceiling_flops, paired
from geogaze.bench.networks import random_bundle
from geogaze.bench.peers import compare
from geogaze.evidence.device import pick_device
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.exported import GraphEngine
from geogaze.evidence.heap import keep_freed_memory
from geogaze.evidence.prepare import count_flops
from geogaze.evidence.runtimes.choice import Runtime
from geogaze.evidence.runtimes.converted import converted
from geogaze.evidence.runtimes.openvino import Graph, openvino_present
from geogaze.evidence.runtimes.tilewise import TileGraph
from geogaze.evidence.runtimes.trunk import Precision, multiplying, narrowed
from geogaze.models.targets import own
from geogaze.networks.cuts import cut_at
from geogaze.networks.loading import load_model


def bench_engine(
    architecture: str,
    *,
    classes: int,
    batch: int,
    device: str,
    precision: Precision = "fp32",
    runtime: Runtime = "auto",
    runs: int = 11,
    peers: bool = False,
    threads: int = 0,
) -> dict[str, Any]:
    """Time explaining all classes of a batch against plain inference on it.

    Plain inference is the network as its library builds it, in inference mode, with the same
    precision, by each runtime that is here: by torch channels-last, by OpenVINO converted whole.
    Explaining is what workers do, evidence of every class in hand: by the bundle's graph where they
    take that, else by an engine of torch's. Pairs of runs take turns.

    Returns:
        The keys that ``geogaze bench engine --json`` prints: ``ratio`` is explaining over plain
        inference by torch, ``ratio_best`` over the quickest in ``plain``; ``ratio_same_trunk`` is
        over inference with torch's engine and its prepared trunk (batch normalisation folded, a
        CUDA graph, the same runtime), so that what preparation gains is left out of it.

    Raises:
        UnsupportedArchitecture: there is no such network, or the runtime cannot run it.
        InvalidRequest: the device is not there, or a peer is not installed.
    """
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="geogaze-bench-") as folder:
        options = EngineOptions(device, precision, batch, runtime, threads=threads)
        by_graph = _takes_graphs(options)
        bundle = random_bundle(Path(folder) / architecture, architecture, classes, graph=by_graph)
        engine = Engine(bundle, options)
        graph = GraphEngine(bundle, batch, threads) if by_graph and bundle.graph else None
        model = load_model(bundle)
    size = bundle.input_size
    flops = count_flops(cut_at(model).trunk, torch.zeros(1, 3, size, size))
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
    images = images.to(engine.device).contiguous(memory_format=torch.channels_last)
    targets = own(range(classes))

    rows_first = images.permute(0, 2, 3, 1).cpu().numpy()

    def explained() -> Any:
        if graph is not None:
            return graph.explain_batch(rows_first)
        return engine.explain_batch(images, targets)

    plain = _plain_ways(model, engine.device, precision, images, threads)
    ceiling = ceiling_flops(engine.device, _WIDE.get(precision, torch.float32))
    timed = {name: paired(way, explained, engine.device, runs) for name, way in plain.items()}
    forward_s, explain_s, ratio = timed["torch"]
    best = min(timed, key=lambda name: timed[name][0])
    same = paired(lambda: engine.logits(images), explained, engine.device, runs)
    explained_once = engine.explain_batch(images, targets)
    achieved = flops * batch / explain_s
    # Before or after.
    ceiling = max(ceiling, ceiling_flops(engine.device, _WIDE.get(precision, torch.float32)))
    ran = (graph or engine).ran
    result: dict[str, Any] = {
        "arch": architecture,
        "classes": classes,
        "batch": batch,
        "device": str(engine.device),
        "dtype": ran["precision"],
        "precision": ran["precision"],
        "runtime": ran["runtime"],
        "path": explained_once.route,
        "plain": {name: seconds for name, (seconds, _, _) in timed.items()},
        "forward_s": forward_s,
        "explain_s": explain_s,
        "ratio": ratio,
        "ratio_best": timed[best][2],
        "ratio_same_trunk": same[2],
        "runs": runs,
        "peers": {},
        "flops_per_tile": flops,
        "achieved_flops": achieved,
        "ceiling_flops": ceiling,
        "ceiling_share": achieved / ceiling,
    }
    if peers:
        model.to(memory_format=torch.contiguous_format)
        result["peers"] = {
            name: {
                "seconds": peer.seconds,
                "slower_than_ours": peer.seconds / explain_s,
                "max_relative_difference": peer.max_relative_difference,
            }
            for name, peer in compare(model, engine.cut, images, explained_once.evidence).items()
        }
    return result


def _takes_graphs(options: EngineOptions) -> bool:
    """Whether a worker would run a bundle's graph, if it has one."""
    on_cpu = pick_device(options.device).type == "cpu" and options.precision == "fp32"
    return on_cpu and options.runtime != "torch" and openvino_present()


_WIDE = {"fp16": torch.float16, "bf16": torch.bfloat16}


def _plain_ways(
    model: nn.Module, device: torch.device, precision: Precision, images: Tensor, threads: int
) -> dict[str, Callable[[], object]]:
    """Plain inference on a batch, by the runtimes that are here."""
    ways: dict[str, Callable[[], object]] = {}
    if device.type == "cpu" and precision in {"fp32", "bf16"} and openvino_present():
        whole = converted(model, images[:2])
        by: Literal["fp32", "bf16"] = "bf16" if precision == "bf16" else "fp32"
        height, width = images.shape[2:]
        at_once = Graph(whole, by, threads)
        each = TileGraph(whole, (height, width), by, threads)
        rows_first = images.permute(0, 2, 3, 1).numpy()
        ways["openvino"] = lambda: at_once(rows_first)
        ways["openvino, tile by tile"] = lambda: each(rows_first)
    prepared = narrowed(model.to(device).to(memory_format=torch.channels_last), precision)

    def by_torch() -> Tensor:
        with torch.inference_mode(), multiplying(precision, device):
            logits: Tensor = prepared(images)
        return logits

    return {"torch": by_torch, **ways}
