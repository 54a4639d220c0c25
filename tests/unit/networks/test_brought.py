"""The quick part of ``python -m tests.benchmarks.networks``: what is let in is shown in place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Said
from geogaze.networks.proposing import last_map
from tests.benchmarks.brought import Brought
from tests.benchmarks.networks import EXACT, HALF_A_CELL, everything, here, row_of
from tests.benchmarks.plain import Watched, square_off

LISTED = {brought.name: brought for brought in everything()}
SHOWN = (
    *("own", "GroupNorm", "InstanceNorm", "keyword convolutions", "transposed convolution"),
    *("slices", "nearest enlarged", "cropped", "dilated", "weight and spectral norm"),
    *("squeezenet1_1", "resnet18, gray", "U-Net, at its last map"),
)
REFUSED = (
    *("softmax inside", "trunk ends in 4 cells", "batch statistics", "NaN in a weight"),
    *("checkpoint: pickled module", "detects", "dates by turns, before"),
)


def listed(name: str) -> Brought:
    return next(brought for key, brought in LISTED.items() if key.endswith(name))


def test_the_table_is_long_enough() -> None:
    assert len(LISTED) >= 60


@pytest.mark.parametrize("name", SHOWN)
def test_a_bright_square_lands_in_its_cell_and_in_no_other(name: str) -> None:
    brought = listed(name)
    network = brought.built()
    bands = tuple(f"B{i}" for i in range(brought.bands))
    classes = tuple(f"class {i}" for i in range(brought.classes))
    found = admit(network, Said(classes, bands, brought.size, brought.layer))
    watched, grid = Watched(network, found.layer), found.registration
    lands = {
        cells: square_off(
            watched,
            brought.bands,
            brought.size,
            grid.stride,
            grid.first_center + cells * grid.stride,
        )
        for cells in (-1, 0, 1)
    }
    assert lands[0] <= HALF_A_CELL
    assert min(lands[-1], lands[1]) > HALF_A_CELL


@pytest.mark.parametrize("name", ["own, 13 bands", "tokens", "mnasnet0_5", "labels pixels"])
def test_its_maps_are_a_plain_loops_and_a_scene_runs(name: str) -> None:
    with here() as folder:
        row = row_of(LISTED[name], folder)
    assert not row.broke
    assert row.off is not None
    assert row.off <= EXACT


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_so_in_a_sentence(name: str, tmp_path: Path) -> None:
    with here() as folder:
        row = row_of(listed(name), folder)
        assert not (folder / "mine").exists()
    assert (row.found, row.broke) == (None, "")
    assert row.says.endswith((".", ")"))


def test_a_layer_is_proposed_that_gives_square_maps() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, 4)
            self.heads = nn.Unflatten(1, (2, 4))

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.patches(images).flatten(2)
            return self.heads(tokens).mean((2, 3))

    assert last_map(Heads(), torch.zeros(2, 3, 32, 32)) == "patches"
