"""Products of every size: a COG is judged by what was asked for, not by a validator's taste."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from geogaze.config import Settings
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.products.make.cog import departures, write_cog
from geogaze.products.make.heat import write_heat
from geogaze.products.make.inputs import Heat
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView
from tests.factories import NORTH_UP, make_scene
from tests.unit.products.conftest import boat, write_overlay

_AREA = 200_000  # pixels: a long side goes with a short one

LONG = st.one_of(
    st.integers(1, 9000),
    # Around multiples and powers of a block, where overviews come to be one block wide.
    st.tuples(st.sampled_from([256, 512, 768, 1024, 2048, 4096, 8192]), st.integers(-3, 7)).map(
        sum
    ),
)
SIZES = (
    LONG.flatmap(
        lambda side: st.tuples(st.just(side), st.integers(1, max(1, min(9000, _AREA // side))))
    )
    .flatmap(st.permutations)
    .map(tuple)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cogs")


@pytest.fixture(scope="module")
def small_plan(folder: Path, bundle_folder: Path) -> Plan:
    asked = ExplainRequest(scene=str(make_scene(folder / "s.tif")), model=str(bundle_folder))
    return make_plan(asked, Settings(), local=True)


@settings(max_examples=25, deadline=None)
@given(SIZES)
@example((256, 300))
@example((300, 256))
@example((512, 4000))
@example((513, 1300))
@example((1, 9000))
@example((9000, 1))
@example((1027, 1100))
def test_heat_of_every_size_is_written(
    small_plan: Plan, folder: Path, size: tuple[int, int]
) -> None:
    width, height = size
    stride, offset = small_plan.lattice.stride, small_plan.lattice.offset
    scene = small_plan.scene.model_copy(
        update={"width": int(width * stride + offset), "height": int(height * stride + offset)}
    )
    plan = small_plan.model_copy(update={"scene": scene})
    for cached in ("working", "bounds", "lattice", "tiling"):
        plan.__dict__.pop(cached, None)
    assert (plan.lattice.cols, plan.lattice.rows) == (width, height)
    values = np.add.outer(np.arange(height), np.arange(width) / 9000).astype(np.float32)
    target = folder / "heat-boat.tif"
    with capture_logs() as told:
        write_heat(Heat.of(values, "job", 1.0), boat(plan), target, folder)
    assert told == []
    with rasterio.open(target) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
        assert set(dataset.block_shapes) == {(256, 256)}
        assert bool(dataset.overviews(1)) == (max(size) > 256)


@settings(max_examples=25, deadline=None)
@given(SIZES)
@example((512, 600))
@example((600, 512))
@example((1025, 1230))
@example((2051, 2052))
@example((4103, 512))
@example((1, 9000))
@example((9000, 1))
@example((113, 17))  # the last cell's middle lies beyond the scene
def test_overlays_of_every_size_are_written(
    small_plan: Plan, folder: Path, size: tuple[int, int]
) -> None:
    width, height = size
    path = folder / "sparse.tif"
    path.unlink(missing_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=3,
        dtype="uint8",
        crs="EPSG:32631",
        transform=NORTH_UP,
        sparse_ok=True,
    ) as dataset:
        dataset.write(np.full((3, 1, 1), 200, dtype=np.uint8), window=((0, 1), (0, 1)))
    scene = small_plan.scene.model_copy(update={"uri": str(path), "width": width, "height": height})
    plan = small_plan.model_copy(update={"scene": scene})
    for cached in ("working", "bounds", "lattice", "tiling"):
        plan.__dict__.pop(cached, None)
    heat = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    # Hot are the cells that the last pixel lies between: the lattice may go on beyond the scene.
    row, col = (
        int((side - 0.5 - plan.lattice.offset) / plan.lattice.stride - first - 0.5)
        for side, first in ((height, plan.lattice.row0), (width, plan.lattice.col0))
    )
    heat[max(row, 0) :, max(col, 0) :] = 1
    target = folder / "overlay-boat.tif"
    with (
        open_reader(str(path), SourcePolicy.local(), Settings()) as reader,
        capture_logs() as told,
    ):
        write_overlay(
            SceneView(reader, scene, plan.working),
            heat,
            boat(plan),
            facts_of(plan).backdrop,
            target,
        )
    assert told == []
    with rasterio.open(target) as dataset:
        assert (dataset.width, dataset.height) == size
        assert tuple(dataset.transform) == tuple(NORTH_UP)
        assert set(dataset.block_shapes) == {(512, 512)}
        assert bool(dataset.overviews(1)) == (max(size) > 512)
        last = dataset.read(window=((height - 1, height), (width - 1, width)))
        first = dataset.read(window=((0, 1), (0, 1)))
        mask = dataset.read_masks(1, window=((height - 1, height), (width - 1, width)))
    assert last.max() > 60, "the hot cells at the far corner"
    assert mask.item() == 255
    assert first.max() > 60


def test_a_file_that_is_not_as_asked_is_named_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_scene(tmp_path / "plain.tif", 600, 700, compress="deflate")
    found = " ".join(departures(plain, 512))
    for word in ("layout", "blocks", "overviews"):
        assert word in found
    monkeypatch.setattr("geogaze.products.make.cog.departures", lambda path, block: ["it is odd"])
    with capture_logs() as told:
        write_cog(plain, tmp_path / "cog.tif", block=256, COMPRESS="DEFLATE")
    assert told[0]["departures"] == ["it is odd"]
    assert departures(tmp_path / "cog.tif", 256) == []
    with rasterio.open(tmp_path / "cog.tif") as made, rasterio.open(plain) as source:
        np.testing.assert_array_equal(made.read(), source.read())
