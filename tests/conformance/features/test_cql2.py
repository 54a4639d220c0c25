"""CQL2 (OGC 21-065r2): the abstract tests that any data will do for, as text and as JSON.

Those that want the standard's own data were tried once, on its GeoPackage: see decision 31.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path

import cql2
import numpy as np
import pytest
from shapely.geometry import shape as shape_of

from api.selecting import FeaturesQuery, selected
from geogaze.errors import InvalidRequest
from geogaze.gis.frames import CRS84, Frame
from geogaze.gis.geopackage import read_layer
from tests.conformance.requirements import meets
from tests.unit.gis.packages import outlines, write_package

COUNT = 6
EVERY = set(range(1, COUNT + 1))
VALUES = {"text": "'foo'", "number": "3.14"}
OPERATORS = ("=", "<>", ">", "<=", "<", ">=")
Evaluate = Callable[[str], set[int]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("cql2") / "hotspots.gpkg", outlines(COUNT))


@pytest.fixture(scope="module")
def frame(file: Path) -> Frame:
    return Frame(read_layer(file))


@pytest.fixture(scope="module")
def evaluate(file: Path, frame: Frame) -> Evaluate:
    """Numbers of the features that a filter lets pass, the same in both encodings."""

    def numbers(text: str) -> set[int]:
        found = []
        as_json = json.dumps(cql2.parse_text(text).to_json())
        for given, language in ((text, "cql2-text"), (as_json, "cql2-json")):
            asked = FeaturesQuery.model_validate({"filter": given, "filter-lang": language})
            page = selected(frame, asked).page(file, 100)
            found.append({feature.number for feature in page.features})
        assert found[0] == found[1], text
        return found[0]

    return numbers


def named(frame: Frame, kind: str = "") -> list[tuple[str, str]]:
    """Queryables as CQL2 writes them, and a value to compare each with."""
    known = frame.layer.columns.items()
    return [
        (f'"{name}"', VALUES[of]) for name, of in known if '"' not in name and of.startswith(kind)
    ]


@meets("cql2/basic-cql2", "basic-test")
def test_queryables_have_types(frame: Frame) -> None:
    assert {one.kind for one in frame.layer.queryables.values()} == {"text", "number"}


@meets("cql2/basic-cql2", "comparison")
def test_comparisons(frame: Frame, evaluate: Evaluate) -> None:
    for name, value in named(frame):
        check_apart(evaluate, [f"{name} {operator} {value}" for operator in OPERATORS])
    assert evaluate("peak > 0.35") == {5, 6}


def check_apart(evaluate: Evaluate, filters: list[str]) -> None:
    """Each and its opposite have nothing in common, and together all."""
    found = [evaluate(text) for text in filters]
    for one, other in ((0, 1), (2, 3), (4, 5)):
        assert not found[one] & found[other]
        assert found[one] | found[other] == EVERY


@meets("cql2/basic-cql2", "is-null")
def test_null(frame: Frame, evaluate: Evaluate) -> None:
    for name, _ in named(frame):
        assert evaluate(f"{name} IS NULL") == set()
        assert evaluate(f"{name} is not null") == EVERY


@meets("cql2/basic-cql2", "boolean")
def test_truth(evaluate: Evaluate) -> None:
    assert (evaluate("true"), evaluate("false")) == (EVERY, set())


@meets("cql2/advanced-comparison-operators", "like")
def test_like(frame: Frame, evaluate: Evaluate) -> None:
    for name, _ in named(frame, "text"):
        assert evaluate(f"{name} LIKE '%'") == evaluate(f"{name} like '%%'") == EVERY
        assert evaluate(f"{name} like '_%'") == EVERY
        assert evaluate(f"{name} like ''") == evaluate(rf"{name} like '\%\_'") == set()


@meets("cql2/advanced-comparison-operators", "between", "in")
def test_between_and_in(frame: Frame, evaluate: Evaluate) -> None:
    for name, _ in named(frame, "number"):
        assert evaluate(f"{name} BETWEEN 0 AND 100") == EVERY
        assert evaluate(f"{name} between 100.0 and 1.0") == set()
    assert evaluate("row IN (1, 2, 3)") == {2, 3, 4}
    assert evaluate("id in ('foo', 'spot-2')") == {3}


@meets("cql2/advanced-comparison-operators", "logical")
def test_filters_of_filters(evaluate: Evaluate) -> None:
    parts = [
        "peak > 0.25",
        "class = 'ship'",
        "id LIKE '%4'",
        "row BETWEEN 1 AND 3",
        "row IN (0, 5)",
    ]
    known = {part: evaluate(part) for part in parts}
    for p1, p2, p3, p4 in combinations(parts, 4):
        asked = f"((NOT {p1} AND {p2}) OR ({p3} and NOT {p4}) or not ({p1} AND {p4}))"
        one, two, three, four = (known[part] for part in (p1, p2, p3, p4))
        assert evaluate(asked) == (two - one) | (three - four) | (EVERY - (one & four))


@meets("cql2/case-insensitive-comparison", "casei", "casei-like")
def test_letters_of_either_case(frame: Frame, evaluate: Evaluate) -> None:
    for name, _ in named(frame, "text"):
        same = evaluate(f"CASEI({name}) = casei('SHIP')")
        assert same | evaluate(f"CASEI({name}) <> casei('ship')") == EVERY
        assert evaluate(f"CASEI({name}) LIKE casei('SPOT%')") == evaluate(
            f"CASEI({name}) LIKE casei('spot%')"
        )
    assert evaluate("CASEI(class) = casei('SHIP')") == {2, 4, 6}
    assert evaluate("CASEI('København') = casei('KØBENHAVN')") == EVERY


@meets("cql2/property-property", "comparison-value-property", "comparison-property-property")
def test_names_may_stand_on_either_side(frame: Frame, evaluate: Evaluate) -> None:
    for name, value in named(frame):
        check_apart(evaluate, [f"{value} {operator} {name}" for operator in OPERATORS])
        check_same(evaluate, name)
    assert evaluate("0.35 < peak") == {5, 6}
    assert evaluate("peak >= row") == {1}


def check_same(evaluate: Evaluate, side: str) -> None:
    """Something compared with itself."""
    for operator in OPERATORS:
        same = EVERY if "=" in operator else set[int]()
        assert evaluate(f"{side} {operator} {side}") == same, operator


@meets("cql2/property-property", "comparison-value-value")
def test_values_may_stand_on_both_sides(evaluate: Evaluate) -> None:
    moments = ("TIMESTAMP('2022-04-14T14:48:46Z')", "DATE('2022-04-14')")
    for value in ("'foo'", "true", "3.14", "1", *moments):
        check_same(evaluate, value)


def place(frame: Frame, number: int) -> str:
    """A place in a feature, in degrees."""
    (told,) = frame.told(np.array([outlines(COUNT)[number - 1]]), CRS84)
    inside = shape_of(told).representative_point()
    return f"{inside.x} {inside.y}"


@meets("cql2/basic-spatial-functions", "s_intersects")
def test_points_and_boxes(frame: Frame, evaluate: Evaluate) -> None:
    assert evaluate("S_INTERSECTS(geom, BBOX(-180,-90,180,90))") == EVERY
    assert evaluate("S_INTERSECTS(geom, POINT(7.02 49.92))") == set()
    assert evaluate(f"S_INTERSECTS(geom, POINT({place(frame, 3)}))") == {3}
    both = ["S_INTERSECTS(geom,BBOX(-180,-90,-90,90))", "S_INTERSECTS(geom,BBOX(90,-90,180,90))"]
    assert evaluate(" AND ".join(both)) == set()
    assert evaluate("S_INTERSECTS(geom, BBOX(150,-90,-150,90))") == set(), "across 180 degrees"
    assert evaluate("S_INTERSECTS(geom, BBOX(150,-90,10,90))") == EVERY
    with pytest.raises(InvalidRequest):
        evaluate("S_INTERSECTS(geom, POINT(90 180))")


@meets("cql2/basic-spatial-functions-plus", "s_intersects")
def test_all_kinds_of_shapes(frame: Frame, evaluate: Evaluate) -> None:
    first, last = place(frame, 1), place(frame, COUNT)
    outer = "(-180 -90, -90 -90, -90 90, -180 90, -180 -90)"
    hole = f"{outer}, (-120 -50, -100 -50, -100 -40, -120 -40, -120 -50)"
    shapes = {
        "LINESTRING(-180 -45, 0 -45)": set[int](),
        f"LINESTRING({first}, {last})": EVERY,
        f"MULTILINESTRING((-180 -45, 0 -45), ({first}, {last}))": EVERY,
        f"MULTIPOINT({first}, {last})": {1, COUNT},
        f"POLYGON({hole})": set[int](),
        f"MULTIPOLYGON(({hole}), ((0 40, 10 40, 10 50, 0 50, 0 40)))": EVERY,
        f"GEOMETRYCOLLECTION(POINT({last}), POLYGON((0 0, 10 0, 10 10, 0 10, 0 0)))": {COUNT},
    }
    for shape, numbers in shapes.items():
        found = evaluate(f"S_INTERSECTS(geom, {shape})")
        assert found == numbers, shape
    with pytest.raises(InvalidRequest):
        evaluate("S_INTERSECTS(geom, MULTIPOINT(7.02 49.92, 90 180))")


@meets("cql2/cql2-text", "validate", "escaping")
def test_what_is_quoted_is_read(evaluate: Evaluate) -> None:
    assert evaluate("class = 'it''s a port'") == {1, 3, 5}


@meets("cql2/cql2-json", "validate")
def test_both_encodings_mean_the_same(evaluate: Evaluate) -> None:
    for one, other in product(("row < 3", "peak > 0.1"), ("class = 'ship'", "NOT row = 1")):
        assert evaluate(f"{one} AND {other}") == evaluate(one) & evaluate(other)
