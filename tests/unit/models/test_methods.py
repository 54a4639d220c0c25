"""What is said of the methods is what they do."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
import torch
from torch import nn

from geogaze.explain.cams import CAMS
from geogaze.explain.pixels import PIXEL_METHODS, PixelNetwork
from geogaze.explain.routes import explain
from geogaze.models.methods import METHODS, MethodName
from geogaze.models.targets import Target
from geogaze.networks.split import Split

TARGETS: list[Target] = [(0, None), (1, None), (0, 1), (None, 1)]


def test_what_is_described_is_computed_and_the_other_way_round() -> None:
    described = {name for name, method in METHODS.items() if not method.per_pixel}
    assert described == set(CAMS)
    assert {name for name, method in METHODS.items() if method.per_pixel} == set(PIXEL_METHODS)
    assert set(METHODS) == set(get_args(MethodName))


def test_each_is_described_with_its_source() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert method.title
        assert "arXiv:" in method.source or "doi:" in method.source
        assert not method.note or method.note.endswith(".")
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_signed_methods_tell_evidence_for_from_evidence_against(name: str) -> None:
    """Of activations that are not negative; others owe their sign to these."""
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU())
    head = nn.Sequential(nn.Conv2d(8, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    cut = Split(trunk, nn.Sequential(head, nn.Linear(6, 2)), "")
    images = torch.randn(2, 3, 15, 15)
    if METHODS[name].per_pixel:
        maps = PixelNetwork(cut).attribute(name, images, TARGETS)
    else:
        maps = explain(cut, images, TARGETS, name).evidence
    assert maps.max() > 0
    assert (maps.min() < 0) == METHODS[name].signed


def test_the_api_needs_no_torch_to_offer_them() -> None:
    modules = "geogaze.models.methods, geogaze.models.targets"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
