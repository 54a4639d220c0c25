"""Embedded runs with a bundle whose tiles have 4 × 4 cells, so that blending weights matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from geogaze.config import Settings
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport, run
from tests.factories import made_once, make_scene

Explain = Callable[..., RunReport]


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """On a busy machine several wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def wide_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """128-pixel tiles of 4 × 4 cells, stride 32, first centre 0, with a graph. Batch statistics
    fit the scenes, so that what the network sees shows in what it says."""
    return made_once(tmp_path_factory, "wide", _write_wide)


def _write_wide(folder: Path) -> None:
    from geogaze.networks.architectures import build
    from geogaze.networks.bundling import write_bundle

    torch.manual_seed(5)
    model = build("shufflenet_v2_x0_5", 3, initialise=True)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    coarse = torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        model(torch.nn.functional.interpolate(coarse, 128) + 0.3 * torch.randn(16, 3, 128, 128))
        model.fc.weight.normal_(0, 0.1)
    classes = ("boat", "field", "road")
    write_bundle(
        model.eval(),
        folder,
        architecture="shufflenet_v2_x0_5",
        classes=classes,
        input_size=128,
        gsd=0.5,
    )


@pytest.fixture(scope="session")
def big_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 × 350 pixels: lattice of 10 × 12 cells."""
    return make_scene(tmp_path_factory.mktemp("scenes") / "big.tif", 300, 350, seed=4)


@pytest.fixture(scope="session")
def explain_into(wide_bundle: Path) -> Explain:
    """An embedded run into a folder."""

    def go(scene: Path, out: Path, **options: Any) -> RunReport:
        settings = Settings(
            device="cpu",
            torch_threads=1,
            batch_size=options.pop("batch_size", 8),
            chunk_tiles=options.pop("chunk_tiles", 256),
        )
        overwrite = options.pop("overwrite", False)
        asked = ExplainRequest(scene=str(scene), model=str(wide_bundle), **options)
        return run(asked, out, settings, overwrite=overwrite)

    return go


@pytest.fixture
def explain(explain_into: Explain, tmp_path: Path) -> Explain:
    """An embedded run into ``tmp_path / out``, named by the second argument."""

    def go(scene: Path, out: str = "out", **options: Any) -> RunReport:
        return explain_into(scene, tmp_path / out, **options)

    return go


@pytest.fixture(scope="session")
def job(
    explain_into: Explain, big_scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunReport:
    """The big scene, all classes, all of them drawn."""
    return explain_into(big_scene, tmp_path_factory.mktemp("job") / "out", overlays="all")


@pytest.fixture(scope="session")
def raw(
    explain_into: Explain, big_scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunReport:
    """The big scene's raw evidence, in chunks of 2 × 2 tiles."""
    folder = tmp_path_factory.mktemp("raw") / "out"
    return explain_into(big_scene, folder, normalize="none", overlays=False, chunk_tiles=4)
