"""A family of networks is one file and one line.

The file holds what stands here between the two comments; the line is ``FAMILIES.append`` in the
fixture, which in the package is a line of the table ``geogaze.networks.families.FAMILIES``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from geogaze.networks.architectures import build
from geogaze.networks.families import FAMILIES
from geogaze.networks.families.family import Family
from geogaze.networks.split import Split
from tests.factories import make_values
from tests.unit.cli.conftest import Geogaze, geogaze

__all__ = ["geogaze"]

# geogaze/networks/families/pebblenet.py


class PebbleNet(nn.Module):
    """Two convolutions, then the mean of their maps decides."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.body = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.body(self.stem(images).relu()).relu()
        return self.fc(maps.mean(dim=(2, 3)))


def _build(architecture: str, classes: int, published: bool) -> nn.Module:
    return PebbleNet({"pebblenet_s": 4, "pebblenet_l": 16}[architecture], classes)


def _split(model: PebbleNet) -> Split:
    trunk = nn.Sequential(model.stem, nn.ReLU(), model.body, nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), model.fc)
    return Split(trunk, head, "relu(body)")


FAMILY = Family(
    prefixes=("pebblenet",),
    types=(PebbleNet,),
    split=_split,
    build=_build,
    names=("pebblenet_s", "pebblenet_l"),
)

# End of the file.


@pytest.fixture
def _in_the_table() -> Iterator[None]:
    FAMILIES.append(FAMILY)
    yield
    FAMILIES.remove(FAMILY)


@pytest.mark.usefixtures("_in_the_table")
def test_its_checkpoint_is_imported_and_explained_exactly(geogaze: Geogaze) -> None:
    torch.manual_seed(3)
    trained = build("pebblenet_s", 3, initialise=True)
    torch.save(trained.half().float().state_dict(), "weights.pth")  # bundles keep half precision
    Path("names.txt").write_text("boat\nfield\nroad\n")
    done = geogaze(
        *("models", "import", "weights.pth", "--out", "pebbles", "--arch", "pebblenet_s"),
        *("--classes", "names.txt", "--input-size", 32),
    )
    assert done.code == 0, done.err
    bundle = read_bundle(Path("pebbles"))
    assert (bundle.stride, bundle.first_center, bundle.cells, bundle.halo) == (4, 0.0, 8, 4)

    engine = Engine(bundle, EngineOptions("cpu"))
    valid = np.ones((32, 32), dtype=bool)
    image = engine.prepare(make_values(32, 32), valid, ((0.0, 255.0),))
    (result,) = engine.explain_tiles(image, [(0, 0)], own([0, 2]))
    assert result.route == "channel-shift"

    maps = trained.body(trained.stem(image).relu()).relu().detach().requires_grad_()
    logits = trained.fc(maps.mean(dim=(2, 3)))
    np.testing.assert_allclose(result.logits, logits.detach().numpy(), atol=1e-5)
    for i, position in enumerate([0, 2]):
        (gradient,) = torch.autograd.grad(logits[0, position], maps, retain_graph=True)
        evidence = (gradient.sum(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0]
        expected = evidence.detach().numpy()
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(result.evidence[0, i], expected, atol=1e-5)


def test_without_its_line_nobody_knows_it(geogaze: Geogaze) -> None:
    done = geogaze(
        *("models", "import", "weights.pth", "--out", "pebbles", "--arch", "pebblenet_s"),
    )
    assert done.code == 2
    assert "No architecture 'pebblenet_s'" in done.err
