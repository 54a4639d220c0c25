"""What half precision changes: ``python -m tests.benchmarks.precision SCENE… [--weights FOLDER]``.

Trunks that round to fp16 and bf16 where a GPU does, against fp32, on tiles spread over the scenes,
evidence of every class compared as a worker does before it takes a precision unasked. Networks are
the shipped one, those whose published weights lie in ``--weights``, and other families with random
weights.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from rich.console import Console
from rich.table import Table
from torch import Tensor

from geogaze.bench.networks import random_bundle
from geogaze.evidence.runtimes.rounded import HALVES, Half
from geogaze.evidence.settling import MOST_TRIED, measure
from geogaze.logs import configure_logging
from geogaze.models.agreement import Agreement
from geogaze.models.bundles import Bundle
from geogaze.models.registry import DEFAULT_MODEL, find_bundle
from geogaze.networks.architectures import build
from geogaze.networks.bundling import write_bundle
from geogaze.networks.cuts import cut_at
from geogaze.networks.loading import load_model

FAMILIES = (
    "vgg16",
    "resnet50",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
    "squeezenet1_0",
    "regnet_y_400mf",
    "googlenet",
)
_CLASSES = 20


def networks(
    folder: Path, weights: Path | None, names: Sequence[str]
) -> Iterator[tuple[str, Bundle]]:
    """Each network with what its weights are."""
    published = {
        path.name.partition("_imagenet")[0]: path
        for path in (sorted(weights.glob("*_imagenet*.pth")) if weights else ())
    }
    for name in names:
        if name == DEFAULT_MODEL:
            yield f"{name}, ours", find_bundle(name, ())
            continue
        if name not in published:
            yield f"{name}, random", random_bundle(folder / name, name, _CLASSES)
            continue
        state = torch.load(published[name], weights_only=True)
        count = len(next(reversed(state.values())))  # of the last layer's bias
        model = build(name, count)
        model.load_state_dict(state, assign=True)
        classes = tuple(f"class-{i:04d}" for i in range(count))
        bundle = write_bundle(
            model.eval(),
            folder / name,
            architecture=name,
            classes=classes,
            input_size=224,
            graph=False,
        )
        yield f"{name}, ImageNet", bundle


def tiles_of(scenes: list[Path], size: int, each: int) -> NDArray[np.float32]:
    """Tiles (n, 3, size, size) in 0..1, spread evenly over each scene."""
    found = []
    side = int(np.ceil(np.sqrt(each)))
    for path in scenes:
        with rasterio.open(path) as scene:
            starts = [
                np.linspace(0, length - size, side).astype(int)
                for length in (scene.height, scene.width)
            ]
            corners = [(row, col) for row in starts[0] for col in starts[1]][:each]
            found += [
                scene.read((1, 2, 3), window=Window(int(col), int(row), size, size))
                for row, col in corners
            ]
    return (np.stack(found) / np.float32(255)).astype(np.float32)


def compare(bundle: Bundle, images: NDArray[np.float32]) -> dict[Half, Agreement]:
    """How each half precision agrees with fp32."""
    mean, std = (torch.tensor(one)[:, None, None] for one in (bundle.mean, bundle.std))
    tiles: Tensor = (torch.from_numpy(images) - mean) / std
    cut = cut_at(load_model(bundle), bundle.module)
    return measure(cut, tiles, len(bundle.classes))


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, help="folder of NAME_imagenet*.pth")
    parser.add_argument("--networks", nargs="+", default=[DEFAULT_MODEL, *FAMILIES])
    parser.add_argument("--tiles", type=int, default=12, help="of each scene")
    given = parser.parse_args()
    configure_logging("error", "console")
    images = tiles_of(given.scenes, 224, given.tiles)[:MOST_TRIED]
    table = Table(title=f"{len(images)} tiles of {len(given.scenes)} scenes")
    for column in ("network", *(f"{p}: {what}" for p in HALVES for what in ("same top", "heat"))):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        for name, bundle in networks(Path(folder), given.weights, given.networks):
            found = compare(bundle, images)
            cells = [
                text
                for precision in HALVES
                for text in (
                    f"{found[precision].same_top:.1%}",
                    f"{found[precision].heat_off:.4f}",
                )
            ]
            table.add_row(name, *cells)
            print(name, *cells, flush=True)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
