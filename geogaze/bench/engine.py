"""What explaining costs over plain inference, against other libraries and the machine's ceiling."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from geogaze.bench.clock import ceiling_flops, paired
from geogaze.bench.networks import random_bundle
from geogaze.bench.peers import compare
from geogaze.evidence.device import bf16_where, keep_freed_memory
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.prepare import count_flops, narrow
from geogaze.models.targets import own
from geogaze.networks.cuts import split
from geogaze.networks.loading import load_model
from geogaze.networks.split import Split

Dtype = Literal["fp32", "bf16"]


def bench_engine(
    architecture: str,
    *,
    classes: int,
    batch: int,
    device: str,
    dtype: Dtype,
    runs: int = 11,
    peers: bool = False,
    threads: int = 0,
) -> dict[str, Any]:
    """Time explaining all classes of a batch against plain inference on it.

    Plain inference is the network as its library builds it, channels-last, in inference mode, with
    the same precision; explaining is what workers do, evidence of every class in hand. Pairs of
    runs take turns.

    Returns:
        The keys that ``geogaze bench engine --json`` prints: ``ratio`` is explaining over plain
        inference; ``ratio_same_trunk`` is over inference with our own prepared trunk (batch
        normalisation folded, a CUDA graph), so that what preparation gains is left out of it.

    Raises:
        UnsupportedArchitecture: there is no such network.
        InvalidRequest: the device is not there, or a peer is not installed.
    """
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="geogaze-bench-") as folder:
        bundle = random_bundle(Path(folder) / architecture, architecture, classes)
        engine = Engine(bundle, EngineOptions(device, dtype, batch))
        model = load_model(bundle)
    size = bundle.input_size
    flops = count_flops(split(model).trunk, torch.zeros(1, 3, size, size))
    model.to(engine.device).to(memory_format=torch.channels_last)
    narrowed = dtype == "bf16"
    if narrowed:
        narrow(split(model).trunk)
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
    images = images.to(engine.device).contiguous(memory_format=torch.channels_last)
    targets = own(range(classes))

    def plain() -> Tensor:
        with torch.inference_mode(), bf16_where(narrowed, engine.device):
            logits: Tensor = model(images)
        return logits

    def prepared() -> Tensor:
        return engine.logits(images)

    def explained() -> Any:
        return engine.explain_batch(images, targets)

    precision = torch.bfloat16 if narrowed else torch.float32
    ceiling = ceiling_flops(engine.device, precision)
    forward_s, explain_s, ratio = paired(plain, explained, engine.device, runs)
    _, _, same_trunk = paired(prepared, explained, engine.device, runs)
    explanation = explained()
    achieved = flops * batch / explain_s
    ceiling = max(ceiling, ceiling_flops(engine.device, precision))  # before or after
    result: dict[str, Any] = {
        "arch": architecture,
        "classes": classes,
        "batch": batch,
        "device": str(engine.device),
        "dtype": dtype,
        "path": explanation.route,
        "forward_s": forward_s,
        "explain_s": explain_s,
        "ratio": ratio,
        "ratio_same_trunk": same_trunk,
        "runs": runs,
        "peers": {},
        "flops_per_tile": flops,
        "achieved_flops": achieved,
        "ceiling_flops": ceiling,
        "ceiling_share": achieved / ceiling,
    }
    if peers:
        ours = engine.cut
        assert isinstance(ours, Split), "bundles for measuring are cut where networks can be"
        model.to(memory_format=torch.contiguous_format)
        result["peers"] = {
            name: {
                "seconds": peer.seconds,
                "slower_than_ours": peer.seconds / explain_s,
                "max_relative_difference": peer.max_relative_difference,
            }
            for name, peer in compare(model, ours, images, explanation.evidence).items()
        }
    return result
