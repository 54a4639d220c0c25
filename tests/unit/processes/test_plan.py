"""From a request to a plan: what it holds, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from geogaze.config import Settings
from geogaze.errors import (
    AoiOutsideScene,
    InvalidRequest,
    SceneUnreadable,
    SceneUnusable,
    UnknownClass,
    UnknownModel,
)
from geogaze.processes.explain.checks import check_finish
from geogaze.processes.explain.finishing import finishing_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.process import EXPLAIN
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.planner import Planner
from geogaze.processes.submit import phases_of
from geogaze.scene import apart
from geogaze.scene.decoders import gdal_decoder
from tests.factories import NORTH_UP, ROTATED, make_bundle, make_scene

SETTINGS = Settings()


@pytest.fixture
def plan_of(scene: Path, bundle_folder: Path) -> Any:
    """Plan a job on the scene with the bundle ``tiny``."""

    def plan(settings: Settings = SETTINGS, **inputs: Any) -> Plan:
        values = {"scene": str(scene), "model": str(bundle_folder), **inputs}
        return make_plan(ExplainRequest.parse(values), settings, local=True)

    return plan


def utm(*points: tuple[float, float], affine: Affine = NORTH_UP) -> dict[str, Any]:
    """An area of interest around scene pixels (col, row)."""
    ring = [affine @ point for point in (*points, points[0])]
    crs = {"type": "name", "properties": {"name": "EPSG:32631"}}
    return {"type": "Polygon", "coordinates": [ring], "crs": crs}


AOI = utm((100.5, 70.5), (180.5, 70.5), (180.5, 130.5), (100.5, 130.5))


def test_plan_of_a_whole_scene(plan_of: Any) -> None:
    plan = plan_of()
    assert plan.layers == ("boat", "field", "road")
    assert plan.targets == ((0, None), (1, None), (2, None))
    assert plan.bounds == (0, 0, 200, 260)
    assert (plan.working.width, plan.working.height) == (260, 200)
    assert (plan.lattice.stride, plan.lattice.offset) == (32, -15.5)
    assert (plan.lattice.rows, plan.lattice.cols) == (7, 9)
    assert (plan.tiling.cells, plan.tiling.step) == (2, 1)
    assert plan.tiles == 6 * 8
    assert plan.working_metres == pytest.approx(0.5)
    assert plan.heat_transform == NORTH_UP @ Affine.translation(-15.5, -15.5) @ Affine.scale(32)


def test_chunks_hold_every_tile_once(plan_of: Any) -> None:
    plan = plan_of(Settings(chunk_tiles=9))
    assert plan.chunk_side == 3
    assert sum(chunk.shape[0] * chunk.shape[1] for chunk in plan.chunks) == plan.tiles
    assert plan.chunk_count == len(list(plan.chunks)) == 2 * 3


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"classes": "top", "overlap": 0.9, "normalize": "none", "overlays": False},
        {"classes": ["boat vs road", "not road"], "context": "scene", "method": "layercam"},
        {"classes": ["boat"], "method": "saliency"},
        {"gsd": 0.342857142857, "aoi": AOI, "classes": ["road"], "rescale": [[0, 200]]},
    ],
    ids=["defaults", "top", "contrast", "pixels", "area"],
)
def test_plans_survive_json(plan_of: Any, inputs: dict[str, Any]) -> None:
    plan = plan_of(**inputs)
    back = Plan.model_validate(json.loads(json.dumps(plan.model_dump(mode="json"))))
    assert back.scene == plan.scene
    assert back.bundle == plan.bundle
    assert back.working == plan.working
    assert back.bounds == plan.bounds
    assert back.lattice == plan.lattice
    assert back.tiling == plan.tiling
    assert list(back.chunks) == list(plan.chunks)
    assert back.targets == plan.targets
    assert back.heat_transform == plan.heat_transform


def test_asked_classes_become_layers_in_order_and_once(plan_of: Any) -> None:
    plan = plan_of(classes=["road", "boat", "road"])
    assert plan.layers == ("road", "boat")
    assert plan.targets == ((2, None), (0, None))


def test_top_is_one_layer_of_no_class(plan_of: Any) -> None:
    plan = plan_of(classes="top")
    assert plan.layers == ("top",)
    assert plan.targets is None


def test_gsd_sets_the_working_grid(plan_of: Any) -> None:
    plan = plan_of(gsd=2.0)
    assert (plan.working.width, plan.working.height) == (65, 50)
    assert plan.scale == pytest.approx(4)
    assert plan.working_metres == pytest.approx(2)
    assert plan.heat_transform.a == pytest.approx(64)


@pytest.mark.parametrize("affine", [NORTH_UP, ROTATED], ids=["north-up", "rotated"])
def test_area_crops_the_lattice_by_whole_cells(
    tmp_path: Path, plan_of: Any, affine: Affine
) -> None:
    scene = str(make_scene(tmp_path / "turned.tif", transform=affine))
    corners = (100.5, 70.5), (180.5, 70.5), (180.5, 130.5), (100.5, 130.5)
    whole, part = plan_of(scene=scene), plan_of(scene=scene, aoi=utm(*corners, affine=affine))
    assert part.bounds == (70, 100, 131, 181)
    # Cells of 32 px from -15.5: rows 2..4 and columns 3..6 touch the area.
    lattice = part.lattice
    assert (lattice.row0, lattice.col0, lattice.rows, lattice.cols) == (2, 3, 3, 4)
    np.testing.assert_allclose(
        tuple(part.heat_transform),
        tuple(whole.heat_transform @ Affine.translation(3, 2)),
        rtol=1e-12,
        atol=1e-6,
    )


def test_chunks_shrink_with_the_number_of_classes(plan_of: Any) -> None:
    """A chunk's evidence must fit: 1000 maps of 14 × 14 floats per tile of VGG16."""
    everything, one = plan_of(model="vgg16"), plan_of(model="vgg16", classes=["airliner"])
    assert one.chunk_side == 16
    assert everything.chunk_side == 9
    assert everything.chunk_side**2 * 1000 * 14 * 14 * 4 <= SETTINGS.chunk_bytes


def test_chunks_hold_at_least_one_tile(plan_of: Any) -> None:
    assert plan_of(Settings(chunk_bytes=1)).chunk_side == 1


def test_unknown_class_offers_near_ones(plan_of: Any) -> None:
    with pytest.raises(
        UnknownClass,
        match=r"'tiny' has no class 'baot' \(did you mean 'boat'\?\)\. 'geogaze models show",
    ):
        plan_of(classes=["field", "baot"])


def test_unknown_model_says_what_there_is(plan_of: Any) -> None:
    with pytest.raises(UnknownModel, match=r"No model 'resnet51'.*aerial-scenes.*'resnet50'"):
        plan_of(model="resnet51")


@pytest.mark.parametrize("overlap", [-0.1, 0.95])
def test_overlap_out_of_range_is_refused(plan_of: Any, overlap: float) -> None:
    with pytest.raises(InvalidRequest, match=f"overlap: .*got {overlap}"):
        plan_of(overlap=overlap)


def test_too_many_tiles_are_refused(plan_of: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"GSD of 0.001 m .* at most 50,000,000.*coarser GSD"):
        plan_of(model="vgg16", gsd=0.001, overlap=0.9, force=True)


def test_what_could_not_be_finished_is_refused_with_the_figure(plan_of: Any) -> None:
    """24 bytes for each cell and layer of each lane's block, or 1,286 for each tile of three."""
    plan = plan_of()
    assert (plan.lattice.rows, plan.lattice.cols, len(plan.layers)) == (7, 9, 3)
    evidence = plan.tiles * 3 * plan.tiling.cells**2 * 4
    need = (7 * 9 * 3 * 24 + evidence) * 100
    plan_of(Settings(lanes=100, max_finish_bytes=need))
    said = r"7 × 9 cells.*GEOGAZE_MAX_FINISH_BYTES.*coarser GSD"
    with pytest.raises(InvalidRequest, match=said):
        plan_of(Settings(lanes=100, max_finish_bytes=need - 1))


def larger(plan: Plan, side: int, **changes: Any) -> Plan:
    """A plan of a scene of so many pixels a side, at a stride of 16."""
    scene = plan.scene.model_copy(update={"width": side, "height": side})
    bundle = plan.bundle.model_copy(update={"stride": 16, "cells": 64, "input_size": 1024})
    known = plan.model_dump() | {"scene": scene, "bundle": bundle, "overlap": 0, **changes}
    return Plan.model_validate(known)


def test_memory_to_finish_does_not_grow_with_the_lattice(plan_of: Any) -> None:
    small, large = (larger(plan_of(), side) for side in (50_000, 506_000))
    assert large.lattice.rows * large.lattice.cols > 1e9
    check_finish(large, Settings(lanes=2, max_finish_bytes=10**9))
    blocks = [next(iter(finishing_of(plan, Settings(lanes=2)).values())) for plan in (small, large)]
    assert blocks[0] == blocks[1] < 10**9
    check_finish(larger(plan_of(), 506_000, layers=["top"]), Settings(max_finish_bytes=10**9))


def test_a_block_is_blended_from_the_units_that_touch_it(plan_of: Any) -> None:
    plan = larger(plan_of(), 40_000, overlap=0.4, chunk_side=3)
    for number in range(plan.blocks.count):
        box = plan.blocks.rectangle(number)
        slow = [
            root
            for root in range(plan.chunk_count)
            if (cells := plan.tiling.chunk_cells(plan.chunk(root)))
            and cells[0] < box[2]
            and cells[2] > box[0]
            and cells[1] < box[3]
            and cells[3] > box[1]
        ]
        assert plan.roots_over(box) == slow


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"scene": "absent.tif"}, SceneUnreadable, "no file 'absent.tif'"),
        ({"bands": [1, 2, 9]}, SceneUnusable, "bands 1 to 3"),
        ({"rescale": [[9, 1]]}, SceneUnusable, "reversed"),
        ({"aoi": {"type": "Point", "coordinates": [2, 48]}}, AoiOutsideScene, "holds a Point"),
        ({"aoi": utm((900, 0), (990, 0), (990, 90))}, AoiOutsideScene, "does not touch"),
    ],
    ids=["scene", "bands", "rescale", "point", "outside"],
)
def test_what_does_not_fit_is_refused(
    plan_of: Any, inputs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_of(**inputs)


def test_others_may_name_neither_folders_of_models_nor_any_file(
    scene: Path, bundle_folder: Path
) -> None:
    request = ExplainRequest(scene=str(scene), model=str(bundle_folder))
    with pytest.raises(UnknownModel):
        make_plan(request, SETTINGS)
    named = request.model_copy(update={"model": "tiny"})
    models = {"model_folders": (bundle_folder.parent,)}
    with pytest.raises(SceneUnreadable, match="not an allowed source"):
        make_plan(named, Settings(**models))
    plan = make_plan(named, Settings(**models, source_folders=(scene.parent,)))
    assert plan.bundle.name == "tiny"
    assert not plan.local


def test_a_plan_that_is_made_apart_is_the_same(scene: Path, bundle_folder: Path) -> None:
    request = ExplainRequest(scene=str(scene), model="tiny")
    settings = Settings(model_folders=(bundle_folder.parent,), source_folders=(scene.parent,))
    alone = settings.model_copy(update={"plan_apart": True, "plan_seconds": 250})
    assert make_plan(request, alone) == make_plan(request, settings)


def test_a_scene_that_hangs_its_plan_is_refused_and_its_place_is_free(
    scene: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_OF_A_PLAN", 1e-6)  # nothing opens so soon
    folders = {"model_folders": (bundle_folder.parent,), "source_folders": (scene.parent,)}
    patient = {"plan_apart": True, "plan_seconds": 250, "plans_at_once": 1}
    planner = Planner(Settings(**folders, **patient))
    request = ExplainRequest(scene=str(scene), model="tiny")
    try:
        for _ in range(2):  # the only place was left by the first
            with pytest.raises(SceneUnreadable, match="GEOGAZE_PLAN_SECONDS"):
                asyncio.run(planner.plan(EXPLAIN, request))
    finally:
        planner.close()


def test_units_of_a_plan(plan_of: Any) -> None:
    settings = Settings(chunk_tiles=9)
    assert plan_of(settings).units == {
        "explain": 6,
        "blend": 1,
        "scale": 1,
        "draw": 1,
        "assemble": 3,
        "publish": 1,
    }
    plan = plan_of(settings, classes="top", overlays=False, on_error="skip")
    explain, _, _, draw, assemble, _ = phases_of(plan)
    assert (explain.units, draw.units, assemble.units) == (6, 0, 1)
    assert explain.grid is not None
    chunks = [(c.row0, c.col0, c.row1, c.col1) for c in plan.chunks]
    assert [explain.grid.rectangle(n) for n in range(explain.units)] == chunks
    assert (explain.grid.items, explain.noun, explain.skips) == (plan.tiles, "tiles", True)
    assert not phases_of(plan_of(settings))[0].skips


def test_contrasts_are_layers_of_their_own(plan_of: Any) -> None:
    plan = plan_of(classes=["boat", "boat vs road", "not field"])
    assert plan.layers == ("boat", "boat vs road", "not field")
    assert plan.targets == ((0, None), (0, 2), (None, 1))


def test_contrasts_with_unknown_classes_are_refused(plan_of: Any) -> None:
    for name in ("boat vs rood", "not bot", "vs road"):
        with pytest.raises(UnknownClass):
            plan_of(classes=[name])


def test_layers_are_named_as_the_model_spells_its_classes(plan_of: Any) -> None:
    plan = plan_of(classes=["Boat VS road", "boat  vs road", "FIELD", "1"])
    assert plan.layers == ("boat vs road", "field")


def test_methods_per_pixel_have_one_cell_per_pixel(plan_of: Any) -> None:
    plan = plan_of(method="saliency", classes=["boat"], overlap=0)
    assert (plan.lattice.stride, plan.lattice.offset) == (1, 0)
    assert (plan.lattice.rows, plan.lattice.cols) == (200, 260)
    assert (plan.tiling.cells, plan.tiling.step) == (64, 64)
    assert plan.heat_transform == NORTH_UP
    assert plan.cell_metres == pytest.approx(0.5)


def test_methods_per_pixel_refuse_what_memory_would_not_hold(
    plan_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.processes.explain.checks._MAX_PIXELS_PER_PIXEL", 200 * 260 - 1)
    with pytest.raises(InvalidRequest, match="52,000"):
        plan_of(method="saliency")
    plan_of(method="gradcam")


def test_scene_context_reads_a_halo_and_makes_wide_windows(plan_of: Any) -> None:
    plan = plan_of(Settings(context_pixels=160), context="scene", overlap=0.5)
    assert plan.halo == plan.bundle.halo
    assert plan.halo % 32 == 0
    # 64 + 3 steps of 32 pixels make 160.
    assert plan.chunk_side == 4
    assert plan_of(Settings(context_pixels=16), context="scene").chunk_side == 1
    assert plan_of().halo == 0


def test_scene_context_is_refused_where_it_is_not_defined(
    plan_of: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match="pixels of each tile"):
        plan_of(context="scene", method="saliency")
    old = tmp_path / "old"
    shutil.copytree(bundle_folder, old)
    item = json.loads((old / "item.json").read_text())
    item["properties"]["geogaze:halo"] = None
    (old / "item.json").write_text(json.dumps(item))
    with pytest.raises(InvalidRequest, match="squeeze-and-excitation"):
        plan_of(context="scene", model=str(old))


def test_a_split_units_chunk_is_its_window(plan_of: Any) -> None:
    plan = plan_of(Settings(chunk_tiles=9))
    assert plan.chunk(4) == list(plan.chunks)[4]
    assert list(plan.chunk(4, (3, 4, 5, 6)).tiles()) == [(3, 4), (3, 5), (4, 4), (4, 5)]


# What parts are known by


@pytest.mark.parametrize(
    "inputs",
    [
        {"normalize": "none"},
        {"overlays": False},
        {"colormap": "viridis"},
        {"threshold": "otsu"},
        {"priority": "high"},
        {"classes": ["boat", "field", "road"]},
    ],
    ids=str,
)
def test_what_only_shows_parts_leaves_their_name(plan_of: Any, inputs: dict[str, Any]) -> None:
    assert plan_of(**inputs).content == plan_of().content


@pytest.mark.parametrize(
    "inputs",
    [
        {"overlap": 0.25},
        {"classes": ["boat"]},
        {"classes": ["road", "field", "boat"]},
        {"gsd": 0.75},
        {"bands": [3, 2, 1]},
        {"rescale": [[0, 200]]},
        {"aoi": AOI},
        {"method": "layercam"},
        {"context": "scene"},
        {"on_error": "skip"},
    ],
    ids=str,
)
def test_what_parts_depend_on_is_in_their_name(plan_of: Any, inputs: dict[str, Any]) -> None:
    assert plan_of(**inputs).content != plan_of().content


def test_a_model_is_known_by_its_weights_not_by_its_name(
    plan_of: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "another-name"
    shutil.copytree(bundle_folder, copy)
    assert plan_of(model=str(copy)).content == plan_of().content
    retrained = make_bundle(tmp_path / "tiny", seed=1)
    assert plan_of(model=str(retrained)).content != plan_of().content
    item = json.loads((copy / "item.json").read_text())
    item["properties"]["geogaze:temperature"] = 2.0  # parts have probabilities
    (copy / "item.json").write_text(json.dumps(item))
    assert plan_of(model=str(copy)).content != plan_of().content


def test_a_scene_without_a_version_is_like_no_other(plan_of: Any) -> None:
    plan = plan_of()
    unknown = plan.model_copy(update={"scene": plan.scene.model_copy(update={"version": None})})
    assert len({plan.content, unknown.content, unknown.content}) == 3


def test_a_scene_that_changed_is_another(plan_of: Any, scene: Path) -> None:
    before = plan_of().content
    make_scene(scene, seed=1)
    os.utime(scene, ns=(1, 1))
    assert plan_of().content != before


def test_another_decoder_makes_other_parts(plan_of: Any) -> None:
    plan = plan_of()
    assert plan.scene.decoder == gdal_decoder()
    other = plan.scene.model_copy(update={"decoder": "async-tiff 0.7"})
    assert plan.model_copy(update={"scene": other}).content != plan.content
