"""Calibration, blending, and the heat COG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rio_cogeo.cogeo import cog_validate

from geogaze.grid.sketch import Sketch
from geogaze.processes.explain.plan import Plan
from geogaze.products.make.heat import Piece, TileMaps, blend, calibrate, scale_of, write_heat
from geogaze.products.make.inputs import Heat
from geogaze.products.styles import Normalize
from tests.factories import NORTH_UP, ROTATED, make_scene
from tests.unit.products.conftest import MakePlan, boat

NAN = np.float32(np.nan)


def field(*values: float) -> NDArray[np.float32]:
    return np.array([values], dtype=np.float32)


def scaled(evidence: NDArray[np.float32], normalize: Normalize) -> Heat:
    """A blended layer as heat."""
    scale = scale_of(Sketch.of(evidence), normalize)
    return Heat.of(calibrate(evidence, normalize, scale), normalize, scale)


def test_job_heat_is_the_positive_part_over_one_scale() -> None:
    heat = scaled(field(-5, 0, 1, 4, NAN), "job")
    assert heat.scale == pytest.approx(np.quantile([1, 4], 0.999))
    np.testing.assert_allclose(heat.values, field(0, 0, 1 / heat.scale, 1, NAN), rtol=1e-6)
    assert heat.values.dtype == np.float32


def test_one_outlier_does_not_darken_the_scene() -> None:
    evidence = np.linspace(0.01, 1, 10_000, dtype=np.float32).reshape(100, 100)
    plain = scaled(evidence, "job").scale
    evidence[50, 50] = 1e6
    heat = scaled(evidence, "job")
    assert heat.scale == pytest.approx(plain, rel=0.01)
    assert heat.values.max() == 1


@pytest.mark.parametrize("evidence", [field(-1, -2, NAN), field(0, 0), field(NAN, NAN)])
def test_without_positive_evidence_heat_is_zero_not_unknown(evidence: NDArray[np.float32]) -> None:
    heat = scaled(evidence.copy(), "job")
    assert heat.scale == 0
    assert np.array_equal(np.isnan(heat.values), np.isnan(evidence))
    assert (heat.values[~np.isnan(evidence)] == 0).all()


@pytest.mark.parametrize(("normalize", "scale"), [("none", 1.0), ("tile", None)])
def test_other_normalisations_stay_as_they_come(normalize: str, scale: float | None) -> None:
    heat = scaled(field(-3, 0.5, NAN), normalize)  # type: ignore[arg-type]
    np.testing.assert_array_equal(heat.values, field(-3, 0.5, NAN))
    assert heat.scale == scale


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(float("nan")), min_size=1, max_size=40))
def test_job_heat_lies_in_0_to_1_keeps_order_and_nan(values: list[float]) -> None:
    evidence = np.array([values], dtype=np.float32)
    heat = scaled(evidence, "job").values
    known = ~np.isnan(evidence)
    assert np.array_equal(np.isnan(heat), ~known)
    assert ((heat[known] >= 0) & (heat[known] <= 1)).all()
    order = np.argsort(evidence[known])
    assert (np.diff(heat[known][order]) >= 0).all()


def test_statistics_are_those_of_looked_at_cells() -> None:
    statistics = Heat.of(field(NAN, 1, 2, 6), "none", 1.0).statistics
    assert statistics == pytest.approx(
        {"minimum": 1, "maximum": 6, "mean": 3, "stddev": np.std([1, 2, 6])}
    )
    assert Heat.of(field(NAN, NAN), "none", 1.0).statistics is None


def tiles(plan: Plan, value: float) -> list[tuple[int, int, NDArray[np.float32]]]:
    cells = plan.tiling.cells
    whole = np.full((cells, cells), value, dtype=np.float32)
    return [(r, c, whole) for r in range(plan.tiling.rows) for c in range(plan.tiling.cols)]


def blended(plan: Plan, maps: list[TileMaps], coverage: NDArray[np.float32]) -> Heat:
    """Heat of maps, and of coverage in two halves; and the same block by block."""
    rows, cols = coverage.shape
    halves = [((0, 0, 2, cols), coverage[:2]), ((2, 0, rows, cols), coverage[2:])]
    pieces = [Piece(halves, [(row, col, values[None]) for row, col, values in maps])]
    whole, covered = blend(plan.tiling, (0, 0, rows, cols), 1, pieces, plan.normalize)
    np.testing.assert_array_equal(covered, coverage)
    for box in ((0, 0, 3, 4), (0, 4, 3, cols), (3, 0, rows, 4), (3, 4, rows, cols)):
        part, _ = blend(plan.tiling, box, 1, pieces, plan.normalize)
        np.testing.assert_array_equal(part, whole[:, box[0] : box[2], box[1] : box[3]])
    return scaled(whole[0], plan.normalize)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_a_constant_blends_to_a_constant(plan_of: MakePlan, scene: Path, overlap: float) -> None:
    plan = plan_of(scene, overlap=overlap, normalize="none")
    coverage = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    heat = blended(plan, tiles(plan, 0.3), coverage)
    np.testing.assert_allclose(heat.values, np.float32(0.3), rtol=1e-6)


def test_cells_less_than_half_covered_and_cells_without_tiles_are_unknown(plan: Plan) -> None:
    coverage = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    coverage[2, 3], coverage[2, 4] = 0.49, 0.5
    heat = blended(plan, tiles(plan, 1.0)[1:], coverage).values
    assert np.isnan(heat[2, 3])
    assert heat[2, 4] == 1
    assert np.isnan(heat[0, 0])  # only the missing tile covers the corner
    assert np.isnan(heat).sum() == 2


def test_tile_heat_is_each_tiles_own_share_of_its_maximum(plan_of: MakePlan, scene: Path) -> None:
    plan = plan_of(scene, overlap=0, normalize="tile")
    coverage = np.ones((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    faint = np.array([[0.01, -5], [0.005, 0]], dtype=np.float32)
    cold = np.full((2, 2), -1, dtype=np.float32)
    heat = blended(plan, [(0, 0, faint), (0, 1, faint * 1000), (0, 2, cold)], coverage)
    np.testing.assert_allclose(heat.values[:2, :2], [[1, 0], [0.5, 0]], rtol=1e-6)
    np.testing.assert_allclose(heat.values[:2, 2:4], [[1, 0], [0.5, 0]], rtol=1e-6)
    assert (heat.values[:2, 4:6] == 0).all()
    assert heat.scale is None


def drawn(plan: Plan) -> Heat:
    values = np.random.default_rng(0).random((plan.lattice.rows, plan.lattice.cols))
    values = values.astype(np.float32)
    values[0, :2] = np.nan
    return Heat.of(values, "job", 2.5)


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED], ids=["north-up", "rotated"])
def test_cells_lie_where_the_network_looks(
    plan_of: MakePlan, tmp_path: Path, transform: Affine
) -> None:
    plan = plan_of(make_scene(tmp_path / "scene.tif", transform=transform))
    write_heat(drawn(plan), boat(plan), tmp_path / "heat-boat.tif", tmp_path)
    with rasterio.open(tmp_path / "heat-boat.tif") as dataset:
        assert dataset.shape == (7, 9)
        assert dataset.crs.to_epsg() == 32631
        assert tuple(dataset.transform) == tuple(plan.heat_transform)
        # The middle of cell (row, col) is the middle of pixel (32 row, 32 col).
        for row, col in ((0, 0), (3, 5), (6, 8)):
            at = dataset.transform @ (col + 0.5, row + 0.5)
            assert at == pytest.approx(transform @ (32 * col + 0.5, 32 * row + 0.5), abs=1e-6)
        if transform is ROTATED:
            assert dataset.transform.b != 0


def test_the_heat_cog_says_what_it_is(plan: Plan, tmp_path: Path) -> None:
    heat = drawn(plan)
    write_heat(heat, boat(plan), tmp_path / "heat-boat.tif", tmp_path)
    valid, errors, warnings = cog_validate(tmp_path / "heat-boat.tif", strict=True, quiet=True)
    assert valid, errors + warnings
    with rasterio.open(tmp_path / "heat-boat.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), heat.values)
        assert np.isnan(dataset.nodata)
        assert dataset.dtypes == ("float32",)
        assert dataset.compression.value == "DEFLATE"
        assert dataset.units == ("1",)
        assert dataset.descriptions[0].startswith("boat")
        tags, band = dataset.tags(), dataset.tags(1)
    assert tags["AREA_OR_POINT"] == "Area"
    assert tags["GEOGAZE_CLASS"] == "boat"
    assert tags["GEOGAZE_MODEL"] == "tiny"
    assert tags["GEOGAZE_WEIGHTS"] == plan.bundle.weights
    assert tags["GEOGAZE_LAYER"] == "conv5"
    assert tags["GEOGAZE_NORMALIZE"] == "job"
    assert float(tags["GEOGAZE_SCALE"]) == 2.5
    assert tags["GEOGAZE_STRIDE_PIXELS"] == "32"
    assert float(tags["GEOGAZE_STRIDE_METRES"]) == 16.0
    assert float(tags["GEOGAZE_REGISTRATION_PIXELS"]) == -15.5
    assert float(tags["GEOGAZE_OVERLAP"]) == 0.5
    for name, value in (heat.statistics or {}).items():
        assert float(band[f"STATISTICS_{name.upper()}"]) == pytest.approx(value)


def test_raw_evidence_is_in_logits(plan_of: MakePlan, scene: Path, tmp_path: Path) -> None:
    plan = plan_of(scene, normalize="none")
    values = drawn(plan).values - np.float32(0.5)
    write_heat(
        Heat.of(values, "none", 1.0),
        boat(plan),
        tmp_path / "heat-boat.tif",
        tmp_path,
    )
    with rasterio.open(tmp_path / "heat-boat.tif") as dataset:
        assert dataset.units == ("logit",)
        assert dataset.read(1, masked=True).min() < 0


def test_heat_nobody_looked_at_is_still_a_cog(plan: Plan, tmp_path: Path) -> None:
    values = np.full((plan.lattice.rows, plan.lattice.cols), np.nan, dtype=np.float32)
    write_heat(Heat.of(values, "job", 0.0), boat(plan), tmp_path / "heat-boat.tif", tmp_path)
    with rasterio.open(tmp_path / "heat-boat.tif") as dataset:
        assert np.isnan(dataset.read(1)).all()
        assert not any(name.startswith("STATISTICS") for name in dataset.tags(1))


def test_large_heat_has_averaged_overviews(plan_of: MakePlan, tmp_path: Path) -> None:
    scene = make_scene(tmp_path / "scene.tif", 64, 32 * 600, bands=3)
    plan = plan_of(scene)
    values = np.zeros((plan.lattice.rows, plan.lattice.cols), dtype=np.float32)
    values[:, ::2] = 1
    write_heat(Heat.of(values, "job", 1.0), boat(plan), tmp_path / "heat-boat.tif", tmp_path)
    with rasterio.open(tmp_path / "heat-boat.tif") as dataset:
        assert dataset.overviews(1)
    with rasterio.open(tmp_path / "heat-boat.tif", overview_level=0) as dataset:
        np.testing.assert_allclose(dataset.read(1)[:, :-1], 0.5, atol=0.01)  # 601 is odd


def test_writing_twice_gives_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_heat(
            drawn(plan),
            boat(plan),
            tmp_path / name / "heat-boat.tif",
            tmp_path / name,
        )
    one, two = (tmp_path / name / "heat-boat.tif" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
