"""Features of a GeoPackage by conditions: those that meet them and no others, within bounds."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely import affinity

from geogaze.errors import InvalidRequest, StorageUnavailable
from geogaze.filtering import Queryables
from geogaze.gis.geopackage import Layer, geometry_of, read_layer
from geogaze.gis.selection import Area, Selection
from tests.unit.gis.packages import COLUMNS, CORNER, outlines, write_package

COUNT = 25
SHAPES = outlines(COUNT)
X, Y = CORNER


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("gis") / "hotspots.gpkg", SHAPES)


@pytest.fixture(scope="module")
def layer(path: Path) -> Layer:
    return read_layer(path)


def numbers(selection: Selection, path: Path, limit: int = 100) -> list[int]:
    return [feature.number for feature in selection.page(path, limit).features]


def test_a_layer_says_what_it_is(layer: Layer) -> None:
    assert (layer.name, layer.title, layer.count) == ("hotspots", "Hotspots of heat", COUNT)
    assert (layer.code, layer.geometry, layer.indexed) == ("EPSG:32631", "geom", True)
    assert layer.bounds == tuple(shapely.total_bounds(SHAPES).tolist())
    kinds = {"TEXT": "text", "REAL": "number", "INTEGER": "number"}
    assert layer.columns == {name: kinds[kind] for name, kind in COLUMNS.items()}


def test_pages_follow_one_another(path: Path, layer: Layer) -> None:
    seen, after = [], 0
    for limit in (10, 10, 10):
        page = Selection(layer).page(path, limit, after)
        assert page.matched == (None if after else COUNT)
        assert page.more == (len(seen) + len(page.features) < COUNT)
        seen += page.features
        after = seen[-1].number
    assert [feature.number for feature in seen] == list(range(1, COUNT + 1))
    assert [feature.geometry for feature in seen] == SHAPES
    assert seen[4].values == ("spot-4", "it's a port", 0.4, 4, 1.0)
    assert seen[3].values[-1] is None
    assert not Selection(layer).page(path, 10, COUNT).features


@pytest.mark.parametrize("side", [500, 2400], ids=["narrow", "broad"])
def test_pages_of_an_area_follow_one_another(path: Path, layer: Layer, side: float) -> None:
    corner = shapely.box(X + 40, Y + 40, X + side, Y + side)  # but for the first one's missing part
    area = shapely.difference(corner, shapely.box(X + 340, Y + 340, X + 390, Y + 390))  # the fourth
    wanted = [i + 1 for i, shape in enumerate(SHAPES) if shape.intersects(area)]
    assert 1 not in wanted
    seen: list[int] = []
    for _ in range(COUNT):
        selection = Selection(layer)
        selection.want_in(Area(area))
        page = selection.page(path, 2, seen[-1] if seen else 0)
        seen += [feature.number for feature in page.features]
        assert page.more == (len(seen) < len(wanted))
        if not page.more:
            break
    assert seen == wanted


AREAS = {
    "within the missing quarter of the third": (
        shapely.box(X + 240, Y + 240, X + 259, Y + 259),
        [],
    ),
    "at its corner": (shapely.box(X + 230, Y + 230, X + 259, Y + 259), [3]),
    "two and a half": (shapely.box(X + 90, Y + 90, X + 310, Y + 310), [2, 3, 4]),
    "a line": (shapely.LineString([(X, Y), (X + 150, Y)]), [1]),
    "a point": (shapely.Point(X + 105, Y + 105), [2]),
    "nothing": (shapely.Polygon(), []),
    "far away": (shapely.box(0, 0, 1, 1), []),
}


@pytest.mark.parametrize(("area", "wanted"), AREAS.values(), ids=AREAS)
def test_areas_are_met_exactly(
    path: Path, layer: Layer, area: shapely.Geometry, wanted: list[int]
) -> None:
    bare = replace(layer, indexed=False)
    within = area.bounds if not area.is_empty and area.equals(area.envelope) else None
    for known in (layer, bare):
        boxed, inside, filtered = Selection(known), Selection(known), Selection(known)
        boxed.want_in(Area(area))
        inside.want_in(Area(area, within))
        filtered.want(filtered.meeting(Area(area)))
        for selection in (boxed, inside, filtered):
            assert numbers(selection, path) == wanted
            assert selection.page(path, 1).matched == len(wanted)


def test_a_box_within_spares_looking_and_changes_nothing(
    path: Path, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []

    def counted(blob: bytes) -> shapely.Geometry:
        looked.append(blob)
        return geometry_of(blob)

    monkeypatch.setattr("geogaze.gis.selection.geometry_of", counted)
    rng = np.random.default_rng(1)
    spared = 0
    for _ in range(20):
        west, south, width, height = rng.uniform(
            (X - 50, Y - 50, 50, 50), (X + 900, Y + 900, 1500, 1500)
        )
        box = shapely.box(west, south, west + width, south + height)
        turned = affinity.rotate(box, 3)
        within = tuple(np.array(affinity.scale(box, 0.8, 0.8).bounds).tolist())
        wanted = [i + 1 for i, shape in enumerate(SHAPES) if shape.intersects(turned)]
        calls = []
        for inside in (None, within):
            selection = Selection(layer)
            selection.want_in(Area(turned, inside))
            looked.clear()
            assert numbers(selection, path) == wanted
            calls.append(len(looked))
        spared += calls[0] - calls[1]
    assert spared > 50


def test_conditions_and_areas_are_joined(path: Path, layer: Layer) -> None:
    selection = Selection(layer)
    selection.want_in(Area(shapely.box(X, Y, X + 1000, Y + 1000)))
    east = Area(shapely.box(X + 500, Y, X + 1000, Y + 1000))
    known = Queryables(layer.queryables, ("geom", lambda shape: selection.meeting(east)))
    asked = "class = 'ship' AND NOT S_INTERSECTS(geom, POINT(0 0)) AND id LIKE 'spot-%'"
    selection.want(known.condition(asked, "cql2-text"))
    assert numbers(selection, path) == [2, 4]
    two = Selection(layer)
    two.want_in(Area(shapely.box(X, Y, X + 1000, Y + 1000)))
    two.want(two.meeting(Area(AREAS["within the missing quarter of the third"][0])))
    assert numbers(two, path) == [], "each area by itself"
    odd = Selection(layer)
    filters = {"op": "<=", "args": [{"property": "p_it's: (a) \"?"}, 0.5]}
    odd.want(Queryables(layer.queryables).condition(filters, "cql2-json"))
    assert numbers(odd, path) == [1, 2, 3]


def test_what_takes_too_long_is_refused(
    path: Path, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.gis.selection._STEPS", 10)
    selection = Selection(layer)
    selection.want(layer.queryables["peak"].column > -1)
    monkeypatch.setattr("geogaze.gis.selection._COUNTING", 50)
    page = selection.page(path, 5)
    assert (len(page.features), page.matched, page.more) == (5, None, True)
    monkeypatch.setattr("geogaze.gis.selection._MOST_STEPS", 50)
    with pytest.raises(InvalidRequest, match="smaller bbox"):
        selection.page(path, 100)


def test_a_page_has_so_many_bytes(
    path: Path, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.gis.selection._MOST_BYTES", 1000)
    page = Selection(layer).page(path, 20)
    assert 1 < len(page.features) < 6
    assert (page.more, page.matched) == (True, COUNT)
    monkeypatch.setattr("geogaze.gis.selection._MOST_BYTES", 1)
    assert len(Selection(layer).page(path, 20, 7).features) == 1


def test_files_that_are_none(tmp_path: Path, path: Path) -> None:
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(path.read_bytes()[:5000] + b"?" * 5000)
    empty = tmp_path / "empty.gpkg"
    sqlite3.connect(empty).close()
    for file in (broken, empty, tmp_path / "absent.gpkg"):
        with pytest.raises(StorageUnavailable, match=file.name):
            read_layer(file)
    assert not (tmp_path / "absent.gpkg").exists()
    with pytest.raises(StorageUnavailable, match="geometry"):
        geometry_of(b"GP\0\3")


def test_an_empty_layer(tmp_path: Path) -> None:
    path = write_package(tmp_path / "none.gpkg", [])
    layer = read_layer(path)
    assert (layer.count, layer.bounds) == (0, None)
    selection = Selection(layer)
    selection.want_in(Area(shapely.box(0, 0, 1, 1)))
    page = selection.page(path, 10)
    assert (list(page.features), page.matched, page.more) == ([], 0, False)
