"""Graphs for tiles of one size: what comes of each, in order, whatever went before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from geogaze.evidence.runtimes import converted
from geogaze.evidence.runtimes.openvino import Graph
from geogaze.evidence.runtimes.tilewise import TileGraph

SIDE = 24
MANY = np.random.default_rng(1).random((9, SIDE, SIDE, 3), dtype=np.float32)
Images = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> object:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.Conv2d(5, 4, 3))
    return converted.converted(layers.eval(), torch.randn(2, 3, SIDE, SIDE))


@pytest.fixture(scope="module", params=[1, 2])
def graph(model: object, request: pytest.FixtureRequest) -> TileGraph:
    return TileGraph(model, (SIDE, SIDE), threads=request.param)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def right(model: object) -> Images:
    return Graph(model, threads=1)(MANY)[0].copy()  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_each_image_has_its_own_outputs(graph: TileGraph, right: Images, count: int) -> None:
    (found,) = graph(MANY[:count])
    np.testing.assert_allclose(found, right[:count], rtol=1e-5, atol=1e-6)
    assert len(np.unique(found[:, 0, 0, 0])) == count


def test_parts_of_a_window_are_read_as_they_lie(graph: TileGraph, right: Images) -> None:
    wide = np.zeros((SIDE + 5, SIDE + 7, 3), np.float32)
    wide[2 : SIDE + 2, 4 : SIDE + 4] = MANY[3]
    ((found,),) = graph.stream([wide[2 : SIDE + 2, 4 : SIDE + 4]])
    np.testing.assert_allclose(found, right[3], rtol=1e-5, atol=1e-6)


def test_images_are_taken_when_their_turn_comes_and_outputs_stay(
    graph: TileGraph, right: Images
) -> None:
    taken: list[int] = []

    def images() -> Iterator[Images]:
        for number, image in enumerate(np.concatenate([MANY] * 3)):
            taken.append(number)
            yield image

    each = graph.stream(images())
    first = next(each)[0]
    assert len(taken) < 10  # as many as are computed and wait, not all
    for number, (found,) in enumerate(each, 1):
        np.testing.assert_allclose(found, right[number % 9], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first, right[0], rtol=1e-5, atol=1e-6)
    assert taken == list(range(27))


def test_who_wants_no_more_leaves_the_graph_as_it_was(graph: TileGraph, right: Images) -> None:
    requests = graph._requests
    each = graph.stream(MANY)
    next(each)
    each.close()
    assert graph._requests == requests
    np.testing.assert_allclose(graph(MANY)[0], right, rtol=1e-5, atol=1e-6)


class Broken:
    """An inference that fails."""

    output_tensors: tuple[()] = ()

    def start_async(self, inputs: object, *, share_inputs: bool) -> None:
        """As OpenVINO's."""

    def wait(self) -> None:
        raise RuntimeError("std::bad_alloc")


def test_what_has_failed_is_told_and_never_runs_again(graph: TileGraph, right: Images) -> None:
    assert graph._requests
    graph._requests = [*graph._requests[:1], Broken()]  # type: ignore[list-item]
    with pytest.raises(RuntimeError, match="bad_alloc"):
        graph(MANY)
    assert graph._requests is None
    np.testing.assert_allclose(graph(MANY)[0], right, rtol=1e-5, atol=1e-6)
    assert graph._requests


def test_no_thread_is_pinned_to_a_core(graph: TileGraph) -> None:
    """Two workers of one thread each would be pinned to the same one."""
    assert graph._requests
    compiled = graph._requests[0].get_compiled_model()
    assert not compiled.get_property("ENABLE_CPU_PINNING")


def test_tiles_share_a_reading_of_layers_that_no_cache_holds() -> None:
    """VGG16's dense layers; also of a graph for one size, and of fewer tiles than go together."""
    torch.manual_seed(0)
    wide = nn.Linear(16 * 16 * 3, 48 * 1024, bias=False)  # 144 MiB
    layers = nn.Sequential(nn.Flatten(), wide, nn.ReLU(), nn.Linear(48 * 1024, 3))
    model = converted.converted(layers.eval(), torch.randn(2, 3, 16, 16))
    graph = TileGraph(model, (16, 16), threads=1)
    many = np.concatenate([MANY] * 2)[:, :16, :16]
    given: list[int] = []
    assert graph._requests
    for one in graph._requests:
        one.set_callback(lambda request: given.append(len(request.input_tensors[0].data)), one)
    (found,) = graph(many)
    assert sorted(given) == [2, 8, 8]
    by_torch = layers(torch.from_numpy(many).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_allclose(found, by_torch, rtol=1e-4, atol=1e-5)
