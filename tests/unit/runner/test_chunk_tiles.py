"""One chunk by itself: what it reads, what it looks at, and what it makes of the engine's answers.

The engine is made up, so that a tile's evidence says which tile it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import shapely
import torch
from numpy.typing import NDArray
from pyproj import Transformer
from torch import Tensor

from geogaze.config import Settings
from geogaze.errors import UnitBroke
from geogaze.evidence.results import BatchResult
from geogaze.grid.lattice import Box
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.chunk import ChunkResult, _touched, explain_chunk
from geogaze.runner.pulse import Pulse
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import Damage, Pixels, SceneView


class Asked(SceneView):
    """Remembers the windows that were read."""

    boxes: list[Box]

    def read(self, box: Box) -> Pixels:
        self.boxes.append(box)
        return super().read(box)


def ramp(cells: int) -> NDArray[np.float32]:
    """1 at the first cell, more with each row, and more still with each column."""
    steps = np.arange(cells, dtype=np.float32)
    return 1 + steps[:, None] / 4 + steps / 2


class Numbered:
    """An engine whose tile i has a ramp from i + 1 on, and of three classes i modulo 3 as its best.

    In batches of three, but for the tiles left out.
    """

    ran: ClassVar[dict[str, str]] = {"runtime": "made up"}

    def __init__(self, plan: Plan, left_out: Sequence[int] = ()) -> None:
        self._plan, self._left_out = plan, left_out

    def prepare(self, *window: Any) -> Tensor:
        return torch.zeros(1)

    def explain_tiles(self, window: Tensor, corners: Sequence[Any], *_: Any) -> Iterator[Any]:
        layers, cells = len(self._plan.layers), self._plan.maps.cells
        tiles = np.array([i for i in range(len(corners)) if i not in self._left_out])
        for some in np.array_split(tiles, max(1, -(-len(tiles) // 3))):
            evidence = np.ones((len(some), layers, cells, cells), dtype=np.float32)
            evidence *= (some + 1)[:, None, None, None]
            evidence *= ramp(cells)
            yield BatchResult(some, 2 * np.eye(3, dtype=np.float32)[some % 3], evidence, "made up")

    explain_shared = explain_tiles


Explain = Callable[..., tuple[Plan, ChunkResult, list[Box]]]


@pytest.fixture
def explain(scene: Path, bundle_folder: Path) -> Explain:
    def run(
        left_out: Sequence[int] = (),
        *,
        chunk_tiles: int = 64,
        number: int = 0,
        cells: int = 2,
        pulse: Pulse = lambda tiles: None,
        **request: Any,
    ) -> tuple[Plan, ChunkResult, list[Box]]:
        asked = ExplainRequest(scene=str(scene), model=str(bundle_folder), overlap=0, **request)
        plan = make_plan(asked, Settings(chunk_tiles=chunk_tiles), local=True)
        bundle = plan.bundle.model_copy(update={"cells": cells})
        plan = plan.model_copy(update={"bundle": bundle})
        with open_reader(str(scene), SourcePolicy.local(), Settings()) as reader:
            view = Asked(reader, plan.scene, plan.working)
            view.boxes = []
            engine: Any = Numbered(plan, left_out)
            done = explain_chunk(plan, plan.chunk(number), view, engine, pulse)
        return plan, done, view.boxes

    return run


@pytest.mark.parametrize("context", ["tile", "scene"])
def test_a_chunk_reads_its_tiles_and_what_the_trunk_sees_around_them(
    explain: Explain, context: str
) -> None:
    plan, _, boxes = explain(context=context)
    halo = (plan.bundle.halo or 0) if context == "scene" else 0
    assert halo > 0 or context == "tile"
    top, left, bottom, right = plan.tiling.chunk_window(plan.chunk(0, None))
    assert boxes == [(top - halo, left - halo, bottom + halo, right + halo)]


def test_every_tile_has_its_own_evidence_and_probabilities(explain: Explain) -> None:
    plan, done, _ = explain()
    count = done.evidence.shape[1]
    assert count > 6
    assert (done.evidence[0] == np.arange(1, count + 1)[:, None, None] * ramp(2)).all()
    assert done.table.seen.all()
    assert (done.table.top == np.arange(count) % 3).all()
    best, other = np.exp(2) / (np.exp(2) + 2), 1 / (np.exp(2) + 2)
    np.testing.assert_allclose(done.table.top_probability, best, rtol=1e-6)
    expected = np.where(np.arange(3)[:, None] == done.table.top, best, other)
    assert len(plan.layers) == 3
    np.testing.assert_allclose(done.table.probabilities, expected, rtol=1e-6)


def test_maps_that_are_no_cells_are_brought_to_the_cells(explain: Explain) -> None:
    """As of SqueezeNet: three activations across two cells."""
    _, done, _ = explain(cells=3)
    matrix = np.array([[0.75, 0.25, 0], [0, 0.25, 0.75]])
    expected = matrix @ ramp(3) @ matrix.T
    np.testing.assert_allclose(done.evidence[1, 4], 5 * expected, rtol=1e-6)


def test_a_tile_that_the_engine_leaves_out_is_never_published(explain: Explain) -> None:
    """Its evidence would be whatever lay in memory."""
    with pytest.raises(RuntimeError, match=r"2 of \d+ tiles"):
        explain(left_out=(1, 4))


@pytest.mark.parametrize("number", range(4))
def test_an_area_that_is_no_rectangle_counts_pixel_by_pixel(explain: Explain, number: int) -> None:
    """In chunks of 2 × 2 tiles, of which the others do not start on the diagonal."""
    plan, _, _ = explain()
    triangle = [(10, 10), (190, 60), (40, 195)]  # columns and rows
    across = Transformer.from_crs(plan.scene.crs_wkt, "OGC:CRS84", always_xy=True)
    ring = [across.transform(*(plan.working.transform @ point)) for point in triangle]
    area = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    plan, done, _ = explain(aoi=area, chunk_tiles=4, number=number)
    inside = shapely.Polygon(triangle)
    assert number < plan.chunk_count
    lattice, chunk = plan.lattice, plan.chunk(number)
    row0, col0, row1, col1 = plan.tiling.chunk_cells(chunk)
    rows = lattice.edges(lattice.row0 + row0, row1 - row0)
    cols = lattice.edges(lattice.col0 + col0, col1 - col0)
    scene_box = shapely.box(0, 0, plan.working.width, plan.working.height)
    for i, j in np.ndindex(done.table.coverage.shape):
        cell = shapely.box(cols[j], rows[i], cols[j + 1], rows[i + 1]).intersection(scene_box)
        expected = inside.intersection(cell).area / cell.area if cell.area else 0
        assert abs(done.table.coverage[i, j] - expected) < 0.07, (i, j)
    for tile, seen in zip(chunk.tiles(), done.table.seen, strict=True):
        top, left, bottom, right = plan.tiling.window(*tile)
        shared = inside.intersection(shapely.box(left, top, right, bottom)).area
        assert seen == (shared > 0) or shared < 2, tile


def test_answers_go_to_the_tiles_that_were_asked_for(explain: Explain) -> None:
    """Where the first tiles of the area's box lie outside the area."""
    plan, _, _ = explain()
    across = Transformer.from_crs(plan.scene.crs_wkt, "OGC:CRS84", always_xy=True)
    corners = [(250, 5), (255, 190), (20, 190), (250, 5)]
    ring = [across.transform(*(plan.working.transform @ corner)) for corner in corners]
    _, done, _ = explain(aoi={"type": "Polygon", "coordinates": [ring]})
    table, seen = done.table, done.table.seen
    assert not seen[0]
    assert 2 < seen.sum() < len(seen)
    assert (table.top[seen] == np.arange(seen.sum()) % 3).all()
    assert np.isnan(table.top_probability[~seen]).all()
    assert np.isnan(table.probabilities[:, ~seen]).all()


@pytest.mark.parametrize(("context", "touched"), [("tile", []), ("scene", [(0, 0)])])
def test_damage_beside_a_tile_counts_where_the_trunk_sees_it(
    explain: Explain, context: str, touched: list[tuple[int, int]]
) -> None:
    plan, _, _ = explain(context=context)
    top, left, bottom, right = plan.tiling.window(0, 0)
    beside = Damage((top - 1, left, top, right), "Block 1 is damaged")
    nothing = np.zeros((3, 1, 1)), np.zeros((3, 1, 1), dtype=bool)
    pixels = Pixels(*nothing, (top, left, bottom, right), (beside,))
    found = _touched(plan, pixels, [(0, 0)])
    assert found == ({"Block 1 is damaged": touched} if touched else {})


def test_a_chunk_that_is_stopped_lets_go_of_the_device(
    explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not when somebody forgets the error."""
    answers, closed = Numbered.explain_tiles, []

    def watched(engine: Numbered, *asked: Any) -> Iterator[Any]:
        try:
            yield from answers(engine, *asked)
        finally:
            closed.append(True)

    def stop(tiles: int) -> None:
        if tiles:
            raise UnitBroke("stopped")

    monkeypatch.setattr(Numbered, "explain_tiles", watched)
    with pytest.raises(UnitBroke) as stopped:
        explain(pulse=stop)
    assert closed, stopped
