"""A class activation map is one file and one line.

The file holds what stands here between the two comments; the line is the ``Method`` below, which in
the package is a line of the table ``geogaze.models.methods.METHODS``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geogaze.evidence.cams.cam import Cam, positions
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.models.item import read_bundle
from geogaze.models.methods import METHODS, Method
from geogaze.models.targets import own
from tests.factories import make_values
from tests.unit.cli.conftest import Geogaze, geogaze

__all__ = ["geogaze"]

# geogaze/evidence/cams/gradient_norm.py


def gradient_norm(gradients: Tensor, activations: Tensor) -> Tensor:
    """N · |G|, the length of the gradient at each position, whatever is activated there."""
    return positions(activations) * gradients.norm(dim=2).transpose(0, 1)


def _pooled(weights: Tensor, activations: Tensor) -> Tensor:
    everywhere = weights.norm(dim=2).expand(-1, len(activations)).transpose(0, 1)
    return everywhere[..., None, None].expand(-1, -1, *activations.shape[2:])


CAM = Cam(gradient_norm, _pooled)

# End of the file.

LINE = Method(
    "gradient-norm",
    "Gradient norm",
    "arXiv:0000.00000",
    per_pixel=False,
    signed=False,
    implementation=f"{__name__}:CAM",
    note="Does not look at what is activated.",
)


@pytest.fixture
def _in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, LINE.name, LINE)


@pytest.mark.usefixtures("_in_the_table")
def test_it_explains_tiles(bundle_folder: Path) -> None:
    engine = Engine(read_bundle(bundle_folder), EngineOptions("cpu"))
    valid = np.ones((64, 64), dtype=bool)
    image = engine.prepare(make_values(64, 64), valid, ((0.0, 255.0),))
    (result,) = engine.explain_tiles(image, [(0, 0)], own([0, 2]), LINE.name)
    assert result.route == "channel-shift"
    weight = engine.cut.head[-1].weight.detach()  # of global pooling's means
    expected = torch.stack([weight[k].norm().expand(2, 2) for k in (0, 2)])
    np.testing.assert_allclose(result.evidence[0], expected.numpy(), rtol=1e-5)


@pytest.mark.usefixtures("_in_the_table")
def test_it_is_listed(geogaze: Geogaze) -> None:
    listed = {method["name"]: method for method in geogaze("methods", "--json").last}
    assert listed[LINE.name] == {
        "name": "gradient-norm",
        "title": "Gradient norm",
        "source": "arXiv:0000.00000",
        "per_pixel": False,
        "signed": False,
        "note": "Does not look at what is activated.",
        "of_attention": False,
    }
    assert "Gradient norm" in geogaze("methods").out


def test_requests_and_options_read_the_table() -> None:
    """In a process of its own, whose table has the line before anybody reads it."""
    code = f"""
from pathlib import Path
source = Path({sys.modules[Method.__module__].__file__!r}).read_text()
import geogaze.models.methods as methods
line = "Method('gradient-norm', 'Gradient norm', '', False, False, 'a:b'),"
exec(source.replace("for method in (", "for method in (" + line, 1), vars(methods))
from geogaze.processes.explain.request import ExplainRequest
assert ExplainRequest.parse({{"scene": "a.tif", "method": "gradient-norm"}}).method
assert "gradient-norm" in str(ExplainRequest.model_json_schema()["properties"]["method"])
"""
    subprocess.run([sys.executable, "-c", code], check=True)
