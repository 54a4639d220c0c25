"""The table of tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest

from geogaze.models.bundles import Probabilities
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.facts import JobFacts
from geogaze.products.make.tiles import write_tiles
from geogaze.products.tiles import Standing, Tally, TileTable, standings, strongest
from tests.factories import ROTATED, make_scene
from tests.unit.products.conftest import MakePlan
from tests.unit.products.in_memory import rectangles_of, tally_of


def table_of(plan: Plan, top: list[int] | None = None, seed: int = 0) -> TileTable:
    rows, cols = (a.ravel() for a in np.indices((plan.tiling.rows, plan.tiling.cols)))
    rng = np.random.default_rng(seed)
    count = len(rows)
    best = np.array(top or [0] * count, dtype=np.int32)
    unseen = best < 0
    probabilities = rng.random((len(plan.targets or ()), count)).astype(np.float32)
    probabilities[:, unseen] = np.nan
    return TileTable(
        row=rows,
        col=cols,
        valid_fraction=np.where(unseen, 0, 1).astype(np.float32),
        top=best,
        top_probability=np.where(unseen, np.nan, 0.5).astype(np.float32),
        probabilities=probabilities,
    )


def written(plan: Plan, table: TileTable, folder: Path) -> geopandas.GeoDataFrame:
    write_tiles(facts_of(plan), rectangles_of(table), folder / "tiles.parquet", lambda tiles: None)
    return geopandas.read_parquet(folder / "tiles.parquet")


def tally(plan: Plan, table: TileTable) -> Tally:
    return tally_of(facts_of(plan), table)


def test_tiles_are_written_with_their_places_and_classes(plan_of: MakePlan, tmp_path: Path) -> None:
    plan = plan_of(make_scene(tmp_path / "scene.tif", transform=ROTATED), overlap=0)
    count = plan.tiles
    top = [-1, *(i % 3 for i in range(count - 1))]
    table = table_of(plan, top)
    frame = written(plan, table, tmp_path)
    assert list(frame.columns) == [
        *("row", "col", "geometry", "valid_fraction", "top_class", "top_probability"),
        *("p_boat", "p_field", "p_road"),
    ]
    assert len(frame) == count
    assert frame.crs.to_epsg() == 32631
    assert frame.top_class.isna().tolist() == [True] + [False] * (count - 1)
    assert frame.top_class[1:4].tolist() == ["boat", "field", "road"]
    assert np.isnan(frame.top_probability[0])
    assert np.isnan(frame.p_boat[0])
    np.testing.assert_array_equal(frame.p_field, table.probabilities[1])
    # A tile's footprint is its 64 pixels, turned with the scene.
    second = frame.set_index(["row", "col"]).loc[(1, 1)].geometry
    corners = {(64, 64), (128, 64), (128, 128), (64, 128)}
    expected = np.array(sorted(ROTATED @ corner for corner in corners))
    found = np.array(sorted(second.exterior.coords[:-1]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert second.area == pytest.approx(32 * 32)


def test_the_top_layer_has_no_class_columns(plan_of: MakePlan, scene: Path, tmp_path: Path) -> None:
    plan = plan_of(scene, classes="top")
    frame = written(plan, table_of(plan), tmp_path)
    assert not [name for name in frame.columns if name.startswith("p_")]
    assert strongest(facts_of(plan), tally(plan, table_of(plan)), 5) == [0]


def test_the_strongest_are_best_on_most_tiles_then_most_probable(
    plan_of: MakePlan, scene: Path
) -> None:
    plan = plan_of(scene)
    table = table_of(plan, [2] * 5 + [-1] + [0] * (plan.tiles - 6))
    assert strongest(facts_of(plan), tally(plan, table), 5) == [0, 2, 1]
    assert strongest(facts_of(plan), tally(plan, table), 1) == [0]
    tie = table_of(plan, [-1] * 3 + [1] * (plan.tiles - 3))
    tie.probabilities[0] *= 0.1
    assert strongest(facts_of(plan), tally(plan, tie), 3) == [1, 2, 0]


def test_the_strongest_are_positions_among_the_layers_asked_for(
    plan_of: MakePlan, scene: Path
) -> None:
    plan = plan_of(scene, classes=["road", "boat"])
    table = table_of(plan, [2] * plan.tiles)
    assert strongest(facts_of(plan), tally(plan, table), 2) == [0, 1]


def test_without_a_tile_seen_there_still_is_an_order(plan: Plan) -> None:
    assert sorted(strongest(facts_of(plan), tally(plan, table_of(plan, [-1] * plan.tiles)), 3)) == [
        0,
        1,
        2,
    ]


def test_a_standing_says_of_how_many_tiles_a_class_is_best_and_how_probable(
    plan_of: MakePlan, scene: Path
) -> None:
    plan = plan_of(scene, classes=["road", "boat", "boat vs field", "not road"])
    table = table_of(plan, [-1, 2, 2, *[1] * (plan.tiles - 3)])
    table.probabilities[:, 1:] *= 0.5
    table.probabilities[1, 5] = 0.875
    found = standings(facts_of(plan), tally(plan, table))
    assert [found[name].won for name in plan.layers] == [2, 0, None, None]
    assert found["boat"].highest == 0.875
    assert found["road"].highest == pytest.approx(np.nanmax(table.probabilities[0]))
    nothing = standings(facts_of(plan), tally(plan, table_of(plan, [-1] * plan.tiles)))
    assert nothing["road"] == Standing(0, None, {})


def facts_by(plan: Plan, rule: Probabilities) -> JobFacts:
    """A job's facts, by a model of another task."""
    job = facts_of(plan)
    return replace(job, model=job.model.model_copy(update={"probabilities": rule}))


def test_of_several_labels_a_tile_counts_for_each_that_is_present(
    plan_of: MakePlan, scene: Path
) -> None:
    plan = plan_of(scene, classes=["boat", "field", "road", "boat vs road"])
    job, table = facts_by(plan, "sigmoid"), table_of(plan)
    table.probabilities[:] = 0.25
    table.probabilities[0, :3] = 0.75
    table.probabilities[1, 2:4] = 0.5
    table.probabilities[3] = 0.9
    found = standings(job, tally_of(job, table))
    assert [found[name].won for name in plan.layers] == [3, 2, 0, None]
    assert found["road"] == Standing(0, 0.25, {}, rule="sigmoid")
    assert strongest(job, tally_of(job, table), 3) == [0, 1, 3]


def test_the_only_logit_is_not_in_every_tile(plan_of: MakePlan, scene: Path) -> None:
    plan = plan_of(scene, classes="top")
    job, table = facts_by(plan, "sigmoid"), table_of(plan)
    table.top_probability[:] = 0.125
    nowhere = standings(job, tally_of(job, table))["top"]
    assert (nowhere.won, nowhere.highest, nowhere.classes) == (0, 0.125, {})
    table.top_probability[1:3] = 0.5
    assert standings(job, tally_of(job, table))["top"] == Standing(
        2, 0.5, {"boat": 2}, {"boat": 0.5}, "sigmoid"
    )


def test_scores_that_are_none_of_classes_win_nothing(plan_of: MakePlan, scene: Path) -> None:
    for classes in ("all", "top"):
        plan = plan_of(scene, classes=classes)
        job, table = facts_by(plan, "none"), table_of(plan)
        table.top_probability[:] = np.nan
        table.probabilities[:] = np.nan
        found = standings(job, tally_of(job, table))
        assert {(one.won, one.highest) for one in found.values()} == {(None, None)}
