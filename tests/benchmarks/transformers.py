"""What explaining a transformer costs over plain inference, in processor seconds of one thread.

python -m tests.benchmarks.transformers [--peers] [--classes K] [ARCH …]

``geogaze bench engine`` measures wall time by the runtime that workers would use; this counts the
work, by torch on both sides, and so tells a hundredth on a machine that is busy with other things.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from geogaze.bench import peers
from geogaze.evidence.prepare import quicken
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.architectures import build
from geogaze.networks.cuts import cut_at
from geogaze.networks.split import Split
from geogaze.networks.timm_cuts import side_of_timm

_RUNS, _HEAD_STD = 9, 0.05
_PEERS_CLASSES = 4  # of which they are timed; each costs them the same
DEFAULT = ("vit_b_16", "vit_l_16", "swin_t", "swin_b", "maxvit_t")


def seconds(work: Callable[[], object]) -> float:
    """Processor time of all threads of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(plain: Callable[[], object], other: Callable[[], object]) -> float:
    """Median of pairs that take turns in going first."""
    plain()
    other()
    found = []
    for run in range(_RUNS):
        first, second = (plain, other) if run % 2 else (other, plain)
        took = {work: seconds(work) for work in (first, second)}
        found.append(took[other] / took[plain])
    return median(found)


def drawn(architecture: str, classes: int) -> nn.Module:
    """A network with random weights, its last layer too."""
    torch.manual_seed(0)
    network = build(architecture, classes, initialise=True).requires_grad_(False)
    for part in network.modules():
        if isinstance(part, nn.Linear) and not part.weight.any():
            nn.init.normal_(part.weight, std=_HEAD_STD)
    return network


def by_peer(network: nn.Module, images: Tensor, name: str) -> float:
    """Processor seconds of a peer for each class, on the network as its library builds it."""
    peer, _ = peers._PEERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their own business
        maps = peer(*peers._whole(network, cut_at(network)), images)
        maps(0)
        return median(seconds(partial(maps, k)) for k in range(_PEERS_CLASSES))


def measure(architecture: str, classes: int, *, with_peers: bool) -> dict[str, Any]:
    """A row: ratios to plain inference of one image; peers' to ours."""
    network = drawn(architecture, classes)
    side, asked = side_of_timm(network), own(range(classes))
    images = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    cut = cut_at(copy.deepcopy(network))
    cut = quicken(cut) if isinstance(cut, Split) else cut
    network.to(memory_format=torch.channels_last)

    def plain() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = network(images)
        return logits

    row: dict[str, Any] = {"arch": architecture, "classes": classes}
    row["path"] = explain(cut, images, asked).route
    row["ratio"] = ratio(plain, lambda: explain(cut, images, asked))
    if isinstance(cut, Split) and cut.blocks:
        row["legrad"] = ratio(plain, lambda: explain(cut, images, asked, "legrad"))
    if with_peers:
        network.to(memory_format=torch.contiguous_format)
        ours = median(seconds(lambda: explain(cut, images, asked)) for _ in range(3))
        for name in ("pytorch-grad-cam", "captum"):
            row[name] = classes * by_peer(network, images.contiguous(), name) / ours
    return row


def main() -> None:
    """Print one line of JSON for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architectures", nargs="*", default=DEFAULT)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--peers", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.architectures:
        print(json.dumps(measure(name, asked.classes, with_peers=asked.peers)), flush=True)


if __name__ == "__main__":
    main()
