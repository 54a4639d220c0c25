"""Two finished jobs compared, against NumPy on the whole of both layers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from typer.testing import CliRunner

from geogaze.cli.app import app
from geogaze.cli.compare import places
from geogaze.comparing import comparison
from geogaze.comparing.comparison import compare
from geogaze.errors import InvalidRequest, UnknownClass
from geogaze.products.page.assembling import page_html
from tests.factories import NORTH_UP
from tests.unit.comparing.folders import LATTICE, finished

SHAPE = (37, 45)
RNG = np.random.default_rng(4)


def field() -> NDArray[np.float32]:
    """Patches of heat, and a corner that nobody looked at."""
    values = np.clip(cv2.GaussianBlur(RNG.normal(size=SHAPE), (0, 0), 2) * 6, 0, 1)
    values[:5, :7] = np.nan
    return np.asarray(values, dtype=np.float32)


def read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as dataset:
        values: NDArray[np.float32] = dataset.read(1)
    return values


def cell_area(transform: Affine = LATTICE) -> float:
    """Of a cell amid the lattice, on the ellipsoid."""
    corners = [(22, 18), (23, 18), (23, 19), (22, 19)]
    places = [transform @ corner for corner in corners]
    to_degrees = pyproj.Transformer.from_crs(32631, 4326, always_xy=True)
    lons, lats = zip(*(to_degrees.transform(*place) for place in places), strict=True)
    return abs(pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)[0])


def test_figures_differences_and_places_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_SIDE", 16)
    a, b, other = field(), field(), field()
    b[30:, 40:] = np.nan
    one = finished(tmp_path / "a", {"boat": a, "big road": other, "sea": a})
    two = finished(tmp_path / "b", {"boat": b, "big road": other})
    done = compare(one, two, tmp_path / "out", level=0.3)
    kinds = ("difference", "first", "second")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(f"{kind}-{name}.tif" for kind in kinds for name in ("boat", "big-road")),
        *("difference-boat.qml", "difference-big-road.qml"),
        *("changes.gpkg", "item.json", "index.html"),
    }
    assert (done.told["lattice"], done.told["scale"], done.told["notes"]) == ("same", "one", [])
    difference = read(done.assets["difference-boat"])
    np.testing.assert_array_equal(difference, b - a)
    for kind, values in (("first", a), ("second", b)):
        np.testing.assert_array_equal(read(done.assets[f"{kind}-boat"]), values)
    told, both = done.told["classes"]["boat"], np.isfinite(a) & np.isfinite(b)
    assert told["cells"] == both.sum()
    assert told["correlation"] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1])
    assert told["mean_difference"] == pytest.approx(float((b - a)[both].mean()), abs=1e-7)
    assert told["mean_absolute_difference"] == pytest.approx(float(abs(b - a)[both].mean()))
    hot = (a >= 0.3) & both, (b >= 0.3) & both
    assert told["hot_overlap"] == pytest.approx((hot[0] & hot[1]).sum() / (hot[0] | hot[1]).sum())
    for change, changed in (("appeared", difference >= 0.3), ("vanished", difference <= -0.3)):
        area = changed.sum() * cell_area()
        assert told[f"{change}_area_m2"] == pytest.approx(area, rel=1e-4)
        places = cv2.connectedComponents(changed.astype(np.uint8), connectivity=4)[0] - 1
        assert told["changes"][change] == places > 0
    assert told["changed_area_m2"] == told["appeared_area_m2"] + told["vanished_area_m2"]
    nothing = done.told["classes"]["big road"]
    assert (nothing["changed_area_m2"], nothing["hot_overlap"]) == (0, 1)
    assert nothing["correlation"] == pytest.approx(1)
    with sqlite3.connect(done.assets["changes"]) as file:
        rows = file.execute("SELECT class, change, area_m2, peak, row, col, geom FROM changes")
        changes = list(rows)
    file.close()
    assert {name for name, *_ in changes} == {"boat"}
    assert sum(row[2] for row in changes) == pytest.approx(told["changed_area_m2"])
    for _, change, _, peak, row, col, geometry in changes:
        assert peak == pytest.approx(float(difference[row, col]))
        assert (peak > 0) == (change == "appeared")
        outline = shapely.from_wkb(geometry[40:])
        assert outline.contains(shapely.Point(*(LATTICE @ (col + 0.5, row + 0.5))))


def test_the_item_says_what_was_compared_and_how_it_is_drawn(tmp_path: Path) -> None:
    one = finished(tmp_path / "a", {"boat": field()})
    two = finished(tmp_path / "b", {"boat": field()})
    told = compare(one, two, tmp_path / "out").told
    item = json.loads((tmp_path / "out" / "item.json").read_text())
    assert item["properties"]["geogaze:compared"] == ["a", "b"]
    assert item["properties"]["geogaze:classes"] == told["classes"]
    assert item["properties"]["geogaze:names"] == ["a", "b"]
    assert set(item["assets"]) == {
        *("difference-boat", "style-boat", "first-boat", "second-boat", "changes", "page")
    }
    assert (tmp_path / "out" / "index.html").read_text() == page_html()
    render = item["properties"]["renders"]["difference-boat"]
    assert (render["colormap_name"], render["rescale"]) == ("coolwarm", [[-1.0, 1.0]])
    with pytest.raises(InvalidRequest, match="already holds a comparison"):
        compare(one, two, tmp_path / "out")
    with pytest.raises(InvalidRequest, match=r"b already holds results; choose another folder\.$"):
        compare(one, two, two, overwrite=True)
    (tmp_path / "out" / "mine.txt").write_text("kept")
    compare(one, finished(tmp_path / "c", {"boat": field()}), tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("transform", "kept"),
    [(LATTICE @ Affine.scale(0.7), True), (LATTICE @ Affine.rotation(3), False)],
)
def test_scenes_lie_below_that_can_be_shown_on_the_firsts_grid(
    tmp_path: Path, transform: Affine, kept: bool
) -> None:
    one = finished(tmp_path / "a", {"boat": field()})
    two = finished(tmp_path / "b", {"boat": field()}, transform=transform)
    for folder in (one, two):
        (folder / "backdrop.tif").write_text(folder.name)
        item = json.loads((folder / "item.json").read_text())
        item["assets"]["backdrop"] = {"href": "./backdrop.tif"}
        (folder / "item.json").write_text(json.dumps(item))
    assets = compare(one, two, tmp_path / "out").assets
    assert assets["backdrop-first"].read_text() == "a"
    assert ("backdrop-second" in assets) == kept
    assert not kept or assets["backdrop-second"].read_text() == "b"


def test_a_part_of_a_scene_is_compared_in_its_place(tmp_path: Path) -> None:
    values = field()
    one = finished(tmp_path / "a", {"boat": values})
    moved = LATTICE @ Affine.translation(9, 6)
    two = finished(tmp_path / "b", {"boat": values[6:30, 9:50]}, transform=moved)
    done = compare(one, two, tmp_path / "out")
    expected = np.full(SHAPE, np.nan)
    expected[6:30, 9:50] = values[6:30, 9:50] * 0
    np.testing.assert_array_equal(read(done.assets["difference-boat"]), expected)
    assert done.told["lattice"] == "moved"


@pytest.mark.parametrize("turn", [0, 17])
def test_another_crs_is_resampled_to_the_first(tmp_path: Path, turn: float) -> None:
    """A bump is where it was: half a cell's shift would be a difference of 0.1."""
    centre = NORTH_UP @ (800, 600)
    ours = NORTH_UP @ Affine.rotation(turn) @ Affine.scale(32)
    to_theirs = pyproj.Transformer.from_crs(32631, 32632, always_xy=True)
    x, y = to_theirs.transform(*NORTH_UP @ (-400, -500))
    theirs = Affine.translation(x, y) @ Affine.scale(11, -11)

    def bump(transform: Affine, shape: tuple[int, int], crs: int) -> NDArray[np.float64]:
        rows, cols = np.indices(shape) + 0.5
        xs = transform.a * cols + transform.b * rows + transform.c
        ys = transform.d * cols + transform.e * rows + transform.f
        back = pyproj.Transformer.from_crs(crs, 32631, always_xy=True)
        xs, ys = back.transform(xs, ys)
        away = (xs - centre[0]) ** 2 + (ys - centre[1]) ** 2
        return np.asarray(np.exp(-away / (2 * 48.0**2)))

    one = finished(tmp_path / "a", {"boat": bump(ours, SHAPE, 32631)}, transform=ours)
    values = bump(theirs, (180, 200), 32632)
    two = finished(tmp_path / "b", {"boat": values}, transform=theirs, crs="EPSG:32632")
    done = compare(one, two, tmp_path / "out")
    difference = read(done.assets["difference-boat"])
    assert np.isfinite(difference).mean() > 0.6
    assert np.nanmax(abs(difference)) < 0.05
    assert done.told["lattice"] == "resampled"
    assert "was resampled" in done.told["notes"][0]


def test_raw_evidence_comes_to_the_scale_of_the_other(tmp_path: Path) -> None:
    values = field()
    heat = finished(tmp_path / "heat", {"boat": values}, scales={"boat": 3.0})
    raw = finished(tmp_path / "raw", {"boat": values * 3 - (values == 0)}, normalize="none")
    for one, two in ((heat, raw), (raw, heat)):
        done = compare(one, two, tmp_path / f"{one.name}-{two.name}")
        assert np.nanmax(abs(read(done.assets["difference-boat"]))) < 1e-6
        assert done.told["classes"]["boat"]["scales"] in ({"a": 3, "b": 3}, {"a": 3.0, "b": 3.0})
    twice = finished(tmp_path / "twice", {"boat": values * 6}, normalize="none")
    done = compare(raw, twice, tmp_path / "raws")
    scales = done.told["classes"]["boat"]["scales"]
    positive = (values * 3)[values > 0]
    assert scales["a"] == scales["b"] == pytest.approx(np.quantile(positive, 0.999))
    assert np.nanmax(read(done.assets["difference-boat"])) > 0.3


def test_two_models_are_compared_each_by_its_own_scale(tmp_path: Path) -> None:
    values = field()
    one = finished(tmp_path / "a", {"boat": values}, scales={"boat": 3.0})
    two = finished(tmp_path / "b", {"boat": values}, scales={"boat": 90.0}, weights="1220bb")
    done = compare(one, two, tmp_path / "out")
    assert done.told["classes"]["boat"]["mean_absolute_difference"] == 0
    assert done.told["scale"] == "own"
    assert "different models" in done.told["notes"][0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"layers": {"car": np.ones(SHAPE)}}, "no class in common: they have boat and car"),
        ({"transform": LATTICE @ Affine.translation(900, 0)}, "no place in common"),
        ({"crs": "EPSG:32651"}, "no place in common"),
        ({"scales": {"boat": 3.0}}, "1 at an evidence of 2 in .* --scale-from"),
        ({"normalize": "tile"}, "compares with no other"),
        ({"layers": {"boat": np.full(SHAPE, np.nan)}}, "No cell of 'boat' was looked at in both"),
    ],
)
def test_what_does_not_compare_is_refused_in_a_sentence_and_leaves_nothing(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    one = finished(tmp_path / "a", {"boat": field()})
    two = finished(tmp_path / "b", **{"layers": {"boat": field()}, **other})
    with pytest.raises(InvalidRequest, match=message):
        compare(one, two, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_ends_with_its_figures(tmp_path: Path) -> None:
    a, b = field(), field()
    one = finished(tmp_path / "a", {"boat": a, "sea": b})
    two = finished(tmp_path / "b", {"boat": b, "sea": b})
    words = ["compare", str(one), str(two), "--out", str(tmp_path / "out"), "--classes", "boat"]
    answer = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    told = json.loads(answer.stdout)
    assert list(told["classes"]) == ["boat"]
    assert {"correlation", "mean_difference", "changed_area_m2"} <= set(told["classes"]["boat"])
    shown = CliRunner().invoke(app, [*words, "--overwrite"], catch_exceptions=False).stdout
    assert "boat" in shown
    with pytest.raises(UnknownClass, match="they share boat, sea"):
        CliRunner().invoke(app, [*words[:-1], "car", "--overwrite"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("count", "square_metres", "said"),
    [(0, 0, "none"), (1, 256, "1 place\n256 m²"), (1234, 5.1e5, "1,234 places\n51 ha")],
)
def test_places_are_told_in_two_short_lines(count: int, square_metres: float, said: str) -> None:
    """In one, a table of 80 columns broke them between a figure and its unit."""
    assert places(count, square_metres) == said
