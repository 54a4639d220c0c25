"""The class raster: of tiles' own best classes, and of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from structlog.testing import capture_logs

from geogaze.grid.lattice import slices
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.classes import best_classes, most_evident, write_classes
from geogaze.products.styles import class_colours, legend
from geogaze.products.table import product_names
from geogaze.products.tiles import TileTable, standings
from tests.unit.products.conftest import MakePlan
from tests.unit.products.in_memory import rectangles_of, tally_of


def best_of(plan: Plan, table: TileTable, seen: np.ndarray) -> np.ndarray:
    return best_classes(plan.tiling, table, seen, (0, 0, *seen.shape))


def table_of(plan: Plan, top: list[int], sure: list[float]) -> TileTable:
    rows, cols = (a.ravel() for a in np.indices((plan.tiling.rows, plan.tiling.cols)))
    count = len(rows)
    assert len(top) == len(sure) == count
    return TileTable(
        row=rows,
        col=cols,
        valid_fraction=np.ones(count, dtype=np.float32),
        top=np.array(top, dtype=np.int32),
        top_probability=np.array(sure, dtype=np.float32),
        probabilities=np.empty((0, count), dtype=np.float32),
    )


@pytest.fixture
def top_plan(plan_of: MakePlan, scene: Path) -> Plan:
    """Tiles of 2 × 2 cells that do not overlap but at the lattice's end."""
    return plan_of(scene, classes="top", overlap=0)


def test_a_cell_is_of_its_tiles_class(top_plan: Plan) -> None:
    plan = top_plan
    tops = [i % 3 for i in range(plan.tiles)]
    table = table_of(plan, tops, [0.5] * plan.tiles)
    seen = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=bool)
    seen[2, 3] = False
    best = best_of(plan, table, seen)
    assert best[0, 0] == best[1, 1] == tops[0]
    assert best[0, 2] == tops[1]
    assert best[2, 2] == tops[plan.tiling.cols + 1]
    assert best[2, 3] == -1
    assert (best >= 0).sum() == best.size - 1


def test_the_surer_tile_has_the_cells_that_two_share(top_plan: Plan) -> None:
    plan = top_plan
    # 9 columns of cells: the last tile begins at 7, the one before it at 6.
    last = plan.tiling.cols - 1
    shared = plan.tiling.first_cell(0, last)[1]
    assert shared == plan.tiling.first_cell(0, last - 1)[1] + 1
    seen = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=bool)
    for sure, expected in (((0.9, 0.4), 1), ((0.4, 0.9), 2)):
        tops, how = [0] * plan.tiles, [0.5] * plan.tiles
        tops[last - 1 : last + 1], how[last - 1 : last + 1] = [1, 2], list(sure)
        assert best_of(plan, table_of(plan, tops, how), seen)[0, shared] == expected


def test_tiles_that_were_not_looked_at_have_no_class(top_plan: Plan) -> None:
    tops = [-1] + [1] * (top_plan.tiles - 1)
    sure = [float("nan")] + [0.5] * (top_plan.tiles - 1)
    seen = np.ones((top_plan.lattice.rows, top_plan.lattice.cols), dtype=bool)
    best = best_of(top_plan, table_of(top_plan, tops, sure), seen)
    assert (best[:2, :2] == -1).all()
    assert (best[2:] == 1).all()


def test_blocks_have_the_classes_of_the_whole(plan_of: MakePlan, scene: Path) -> None:
    plan = plan_of(scene, classes="top", overlap=0.5)
    rng = np.random.default_rng(3)
    tops, sure = rng.integers(0, 3, plan.tiles).tolist(), rng.random(plan.tiles).tolist()
    table = table_of(plan, tops, sure)
    rows, cols = plan.lattice.rows, plan.lattice.cols
    seen = rng.random((rows, cols)) < 0.9
    whole = best_of(plan, table, seen)
    for box in [(0, 0, 3, 4), (0, 4, 3, cols), (3, 0, rows, cols)]:
        down, across = plan.tiling.tiles_over(box)
        over = (down.start, across.start, down.stop, across.stop)
        some = rectangles_of(table).read(over)
        block = best_classes(plan.tiling, some, seen[slices(box)], box)
        assert block.tolist() == whole[slices(box)].tolist()


def test_the_class_with_most_evidence_has_a_cell() -> None:
    rng = np.random.default_rng(3)
    evidence = rng.normal(size=(4, 5, 6)).astype(np.float32)
    evidence[:, 0, 0] = np.nan
    evidence[:, 1, 1] = -1
    evidence[:, 2, 2] = 0
    numbers = [7, 2, 9, 4]
    best = most_evident(zip(numbers, evidence, strict=True), (10, 20, 15, 26))
    for row, col in np.ndindex(5, 6):
        cell = evidence[:, row, col]
        expected = numbers[int(np.argmax(cell))] if cell.max() > 0 else -1
        assert best[row, col] == expected


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({}, True),
        ({"classes": "top", "normalize": "tile"}, True),
        ({"normalize": "none"}, True),
        ({"normalize": "tile"}, False),
        ({"classes": ["boat"]}, False),
        ({"classes": ["boat", "boat vs road", "not field"]}, False),
        ({"classes": ["boat", "boat vs road", "field"]}, True),
    ],
)
def test_there_is_a_best_class_where_several_compare(
    plan_of: MakePlan, scene: Path, asked: dict[str, Any], made: bool
) -> None:
    plan = plan_of(scene, **asked)
    names = product_names(plan)
    assert ("classes" in names) == ("classes-style" in names) == made
    assert names == product_names(facts_of(plan))


def test_scores_that_are_none_of_classes_have_no_best(plan: Plan) -> None:
    bundle = plan.bundle.model_copy(update={"probabilities": "none"})
    assert "classes" not in product_names(plan.model_copy(update={"bundle": bundle}))


@pytest.mark.parametrize("count", [3, 1000])
def test_the_raster_has_values_colours_and_names(
    top_plan: Plan, tmp_path: Path, count: int
) -> None:
    names = tuple(f"class {i}" for i in range(count))
    plan = top_plan.model_copy(
        update={"bundle": top_plan.bundle.model_copy(update={"classes": names})}
    )
    rows, cols = plan.lattice.rows, plan.lattice.cols
    best = np.full((rows, cols), -1)
    best[1, 2], best[3, 4] = 2, count - 1
    with capture_logs() as told:
        blocks = [((0, 0, 2, cols), best[:2]), ((2, 0, rows, cols), best[2:])]
        write_classes(blocks, facts_of(plan).grid, plan.bundle, tmp_path / "classes.tif", tmp_path)
    assert told == []
    assert [path.name for path in tmp_path.glob("*.tif")].count("classes.tif") == 1
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        values = dataset.read(1)
        assert (values[1, 2], values[3, 4]) == (2, count - 1)
        assert (values != dataset.nodata).sum() == 2
        assert tuple(dataset.transform) == tuple(plan.heat_transform)
        assert dataset.colormap(1)[2][:3] == class_colours(count)[2]
        assert dataset.colormap(1)[count - 1][:3] == class_colours(count)[-1]
        tags = dataset.tags(1)
    assert tags["CLASS_2"] == "class 2"
    assert tags[f"CLASS_{count - 1}"] == names[-1]
    assert "CLASS_0" not in tags
    assert legend(plan.bundle.classes)[2]["description"] == "class 2"


def oklab(colours: NDArray[Any]) -> NDArray[np.float64]:
    """B. Ottosson's OKLab (2020), in which distances are those that the eye sees."""
    share = colours / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.41222, 0.53633, 0.05145],
        [0.21190, 0.68070, 0.10740],
        [0.08830, 0.28172, 0.62998],
    ]
    to_lab = [
        [0.21045, 0.79362, -0.00407],
        [1.97800, -2.42859, 0.45059],
        [0.02590, 0.78277, -0.80868],
    ]
    return np.cbrt(light @ np.transpose(to_cones)) @ np.transpose(to_lab)


@pytest.mark.parametrize(("count", "apart"), [(5, 0.3), (21, 0.13), (32, 0.11)])
def test_classes_have_colours_far_apart(count: int, apart: float) -> None:
    """Hues at equal angles, in three brightnesses, were 0.05 apart."""
    found = oklab(np.array(class_colours(count)))
    between = np.linalg.norm(found[:, None] - found, axis=2) + 9 * np.eye(count)
    assert between.min() > apart


def test_there_is_a_colour_for_each_of_many_classes() -> None:
    assert len(class_colours(1000)) == 1000
    assert class_colours(1000)[:21] == class_colours(21)


def test_a_top_layers_standing_names_its_classes(top_plan: Plan) -> None:
    tops = [-1, 2, 2, 2, 0, *[2] * (top_plan.tiles - 5)]
    table, job = table_of(top_plan, tops, [0.5] * top_plan.tiles), facts_of(top_plan)
    standing = standings(job, tally_of(job, table))["top"]
    assert list(standing.classes.items()) == [("road", top_plan.tiles - 2), ("boat", 1)]
    assert standing.won == top_plan.tiles - 1
    assert standing.highest == 0.5
    assert list(standing.surest.items()) == [("road", 0.5), ("boat", 0.5)]
