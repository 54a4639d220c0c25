"""From activations to lattice cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geogaze.grid.resample import divides, lattice_offset, resample_matrix


@given(cells=st.integers(1, 20), stride=st.integers(1, 64))
def test_identity_where_the_grid_divides_the_tile(cells: int, stride: int) -> None:
    assert divides(cells * stride, stride, cells)
    np.testing.assert_array_equal(resample_matrix(cells * stride, stride, cells), np.eye(cells))


@pytest.mark.parametrize(
    ("tile_size", "stride", "cells"),
    [(224, 16, 13), (224, 16, 12), (256, 32, 9), (64, 16, 1)],
    ids=["squeezenet", "fewer", "more", "one activation"],
)
def test_equals_the_textbook_resize(tile_size: int, stride: int, cells: int) -> None:
    maps = torch.randn(2, 3, cells, cells, generator=torch.Generator().manual_seed(0)).double()
    targets = tile_size // stride
    expected = torch.nn.functional.interpolate(
        maps, size=(targets, targets), mode="bilinear", align_corners=False
    )
    matrix = resample_matrix(tile_size, stride, cells)
    actual = matrix @ maps.numpy() @ matrix.T
    np.testing.assert_allclose(actual, expected.numpy(), atol=2e-6)


@given(
    cells=st.integers(1, 20), stride=st.integers(1, 64), targets=st.integers(1, 20), data=st.data()
)
def test_reads_stretched_activations_at_the_centres_of_cells(
    cells: int, stride: int, targets: int, data: st.DataObject
) -> None:
    tile_size = targets * stride + data.draw(st.integers(0, stride - 1))
    matrix = resample_matrix(tile_size, stride, cells).astype(np.float64)
    if divides(tile_size, stride, cells):
        return
    assert matrix.shape == (targets, cells)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    # A field that says its own position reads back the positions of the cells.
    activations = (np.arange(cells) + 0.5) * tile_size / cells
    centres = (np.arange(targets) + 0.5) * stride
    np.testing.assert_allclose(
        matrix @ activations,
        np.clip(centres, activations[0], activations[-1]),
        atol=1e-5 * tile_size,
    )


@pytest.mark.parametrize(
    ("tile_size", "stride", "cells", "first_center", "offset"),
    [
        pytest.param(224, 16, 14, 7.5, 0.0, id="vgg: the middle of the cell"),
        pytest.param(224, 32, 7, 0.0, -15.5, id="resnet: half a cell before"),
        pytest.param(64, 32, 2, 0.5, -15.0, id="half pixels"),
        pytest.param(224, 16, 13, 15.0, 0.0, id="squeezenet: stretched over the tile"),
    ],
)
def test_lattice_offset(
    tile_size: int, stride: int, cells: int, first_center: float, offset: float
) -> None:
    assert lattice_offset(tile_size, stride, cells, first_center) == offset
