"""What is said of the methods is what they do."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from typing import get_args

import pytest
import torch
from torch import nn

from geogaze.evidence import attention, cams, pixels
from geogaze.evidence.methods import load_methods
from geogaze.evidence.pixels.network import PixelNetwork
from geogaze.evidence.routes import explain
from geogaze.models.methods import METHODS, Method, MethodName
from geogaze.models.targets import Target
from geogaze.networks.split import Split
from geogaze.processes.explain.request import ExplainRequest

TARGETS: list[Target] = [(0, None), (1, None), (0, 1), (None, 1)]


def test_what_is_described_is_computed_and_the_other_way_round() -> None:
    load_methods()
    described = {method.implementation.partition(":")[0] for method in METHODS.values()}
    written = {
        f"{package.__name__}.{found.name}"
        for package, attribute in ((cams, "CAM"), (pixels, "METHOD"), (attention, "METHOD"))
        for found in pkgutil.iter_modules(package.__path__)
        if hasattr(import_module(f"{package.__name__}.{found.name}"), attribute)
    }
    assert described == written


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("geogaze.evidence.cams.eigencam:CAM", "cannot be imported"),
        ("geogaze.evidence.pixels.saliency:METHOD", "'eigencam' is to be a Cam"),
    ],
)
def test_one_that_is_forgotten_fails_before_there_is_work(
    monkeypatch: pytest.MonkeyPatch, reference: str, says: str
) -> None:
    line = Method("eigencam", "EigenCAM", "arXiv:2008.00299", False, True, reference)
    monkeypatch.setitem(METHODS, line.name, line)
    with pytest.raises(LookupError, match=says):
        load_methods()


def test_a_request_may_name_each_of_them() -> None:
    assert get_args(MethodName) == tuple(METHODS)
    schema = ExplainRequest.model_json_schema()["properties"]["method"]
    assert (schema["type"], schema["enum"]) == ("string", list(METHODS))


def test_each_is_described_with_its_source() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert method.title
        assert "arXiv:" in method.source or "doi:" in method.source
        assert not method.note or method.note.endswith(".")
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("name", [name for name, how in METHODS.items() if not how.of_attention])
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
