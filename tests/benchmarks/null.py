"""A network that does next to nothing, offered to a stack's workers as a package would offer it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from torch import nn

from geogaze.networks.architectures import ENTRY_POINTS
from geogaze.networks.bundling import write_bundle

NULL_SIZE = 8
_NAME = "benchmark-null"
_PROJECT = Path(__file__).resolve().parents[2]


class NullNetwork(nn.Module):
    """One activation per tile of 8 × 8 pixels: as little work as an explanation can be."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, 2, NULL_SIZE, NULL_SIZE)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(2, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, classes) of images (B, 3, T, T)."""
        logits: torch.Tensor = self.head(self.trunk(images))
        return logits


def offer_null(folder: Path) -> dict[str, str]:
    """Write the model ``null`` and its entry point; what a stack's environment must say of them."""
    torch.manual_seed(0)
    write_bundle(
        NullNetwork(2).eval(),
        folder / "models" / "null",
        architecture=_NAME,
        classes=("class-0000", "class-0001"),
        input_size=NULL_SIZE,
    )
    about = folder / "site" / "benchmark_null-0.dist-info"
    about.mkdir(parents=True)
    reference = f"{NullNetwork.__module__}:{NullNetwork.__qualname__}"
    (about / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{_NAME} = {reference}\n")
    path = [str(about.parent), str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "GEOGAZE_MODEL_FOLDERS": json.dumps([str(folder / "models")]),
        "GEOGAZE_TORCH_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path),
    }
