"""CQL2 as SQL: what filters mean on a table, and which are refused before anything reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from sqlalchemy import Column, Connection, Float, MetaData, String, Table, Uuid, literal, select

from geogaze.filtering import InvalidFilter, Language, Queryable, Queryables
from geogaze.ledger.database import connect

TABLE = Table(
    "things",
    MetaData(),
    Column("name", String),
    Column("size", Float),
    Column("depth", Float),
    Column("made", Float),
    Column("key", Uuid),
)
ROWS = [
    {"name": "Boat", "size": 1.0, "depth": 1.0, "made": 0.0},
    {"name": "boat*", "size": 2.0, "depth": 1.0, "made": 86_400.0},
    {"name": "50%_[x]", "size": -3.0, "depth": None, "made": None},
    {"name": None, "size": None, "depth": None, "made": None},
]
KNOWN = Queryables(
    {
        "name": Queryable(TABLE.c.name, "text", "its name"),
        "a:size": Queryable(TABLE.c.size, "number", "its size"),
        "depth": Queryable(TABLE.c.depth, "number", "its depth"),
        "made": Queryable(TABLE.c.made, "time", "when"),
        "key": Queryable(TABLE.c.key, "id", "its key"),
    }
)


@pytest.fixture(scope="module")
def rows() -> Iterator[Connection]:
    database = connect("sqlite://")
    with database.connect() as connection:
        TABLE.create(connection)
        connection.execute(TABLE.insert(), [{**row, "key": None} for row in ROWS])
        yield connection
    database.dispose()


def meeting(rows: Connection, given: Any, language: Language = "cql2-text") -> list[int]:
    names = rows.scalars(select(TABLE.c.name).where(KNOWN.condition(given, language)))
    return sorted([row["name"] for row in ROWS].index(name) for name in names)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("name = 'Boat'", [0]),
        ("name <> 'Boat'", [1, 2]),
        ("name LIKE 'boat%'", [1]),
        ("name LIKE 'boat*'", [1]),
        ("name LIKE 'Boa_'", [0]),
        ("name LIKE '%*'", [1]),
        (r"name LIKE '50\%\_[x]'", [2]),
        (r"name LIKE '50\_%'", []),
        ("name NOT LIKE 'B%'", [1, 2]),
        ("CASEI(name) LIKE CASEI('BOAT%')", [0, 1]),
        ("CASEI(name) IN (CASEI('BOAT'))", [0]),
        ("CASEI('ÅKER') = CASEI('åker') AND name = 'Boat'", [0]),
        ('"a:size" > depth', [1]),
        ("a:size >= -3 AND a:size < 2", [0, 2]),
        ("a:size BETWEEN 1 AND 2", [0, 1]),
        ("a:size NOT BETWEEN 1 AND 2", [2]),
        ("a:size IN (2, 1.0)", [0, 1]),
        ("depth IS NULL", [2, 3]),
        ("depth IS NOT NULL OR name IS NULL", [0, 1, 3]),
        ("NOT depth = 1", []),
        ("made >= DATE('1970-01-02')", [1]),
        ("made < TIMESTAMP('1970-01-02T01:00:00+01:00')", [0]),
        ("key = '00000000-0000-0000-0000-000000000001' OR name = 'Boat'", [0]),
        ("TRUE", [0, 1, 2, 3]),
        ("TRUE = TRUE AND depth = 1", [0, 1]),
        ("TRUE <> TRUE", []),
    ],
)
def test_filters_mean(rows: Connection, text: str, numbers: list[int]) -> None:
    assert meeting(rows, text) == numbers


def test_json_means_the_same(rows: Connection) -> None:
    given = {"op": "like", "args": [{"property": "name"}, "boat%"]}
    assert meeting(rows, given, "cql2-json") == [1]
    assert meeting(rows, json.dumps(given), "cql2-json") == [1]
    either = {"op": "or", "args": [given, {"op": "isNull", "args": [{"property": "name"}]}]}
    assert meeting(rows, either, "cql2-json") == [1, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("name =", "cannot be read"),
        ("name = 'x'; DROP TABLE things", "cannot be read"),
        ("colour = 'red'", "no queryable 'colour'; there are a:size"),
        ("name", "neither true nor false"),
        ("name = 3", "cannot be compared"),
        ("depth = TRUE", "cannot be compared"),
        ("a:size = 'x'", "text stands where number"),
        ("made = 'x'", "text stands where time"),
        ("made > TIMESTAMP('yesterday')", "RFC 3339"),
        ("a:size + 1 > 2", "cannot be compared here"),
        ("key < 'x'", "equal or not"),
        ("a:size LIKE 'x'", "number stands where text"),
        ("name LIKE 'x\\'", "backslash"),
        ("S_INTERSECTS(geometry, POINT(1 1))", "bbox or intersects"),
        ("foo(name)", "'foo' with 1 arguments"),
        ("(" * 9 + "a:size = 1" + ")" * 9, "within one another"),
        ("NOT " * 9 + "a:size = 1", "within one another"),
        ("a:size = " + "-" * 9 + "1", "within one another"),
        ("name = '" + "x" * 2000 + "'", "at most 2,000"),
        (f"depth IN ({','.join('1' * 501)})", "more than 500 parts"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(Exception, match="(?s)" + said.replace("(", r"\(")) as refused:
        KNOWN.condition(text, "cql2-text")
    assert getattr(refused.value, "status", None) == 400


@pytest.mark.parametrize("nest", ["(", "NOT (", "CASEI(", "(a = 1 OR NOT ("])
def test_nests_that_would_end_the_process_are_counted_before(nest: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidFilter):
        KNOWN.condition(nest * 400, "cql2-text")
    assert time.process_time() - started < 1


def test_json_may_be_no_deeper_than_is_done() -> None:
    deep: dict[str, Any] = {"op": "isNull", "args": [{"property": "name"}]}
    for _ in range(26):
        deep = {"op": "not", "args": [deep]}
    with pytest.raises(InvalidFilter, match="deeper"):
        KNOWN.condition(deep, "cql2-json")
    with pytest.raises(InvalidFilter, match="cannot be read"):
        KNOWN.condition('{"op":"not","args":[' * 900, "cql2-json")
    wide = {"op": "or", "args": [{"op": "isNull", "args": [{"property": "name"}]}] * 500}
    with pytest.raises(InvalidFilter, match="more than 500 parts"):
        KNOWN.condition(wide, "cql2-json")
    with pytest.raises(InvalidFilter, match="is a text"):
        KNOWN.condition(deep, "cql2-text")


def test_shapes_are_handed_on() -> None:
    seen: list[Any] = []

    def meets(shape: shapely.Geometry) -> Any:
        seen.append(shape)
        return literal(1) == literal(1)

    known = Queryables(KNOWN.named, ("geometry", meets))
    for text in (
        "S_INTERSECTS(geometry, POLYGON((0 0, 2 0, 2 2, 0 0)))",
        "S_INTERSECTS(BBOX(0, 0, 2, 2), geometry)",
        "S_INTERSECTS(geometry, BBOX(170, 0, -160, 2))",
    ):
        known.condition(text, "cql2-text")
    assert seen[0].equals(shapely.Polygon([(0, 0), (2, 0), (2, 2)]))
    assert seen[1].bounds == (0, 0, 2, 2)
    across = shapely.MultiPolygon([shapely.box(170, 0, 180, 2), shapely.box(-180, 0, -160, 2)])
    assert seen[2].equals(across)
    for bad in (
        "S_INTERSECTS(name, POINT(1 1))",
        "S_INTERSECTS(geometry, name)",
        "S_INTERSECTS(geometry, BBOX(500, 0, 400, 2))",
        "S_INTERSECTS(geometry, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))",
    ):
        with pytest.raises(InvalidFilter):
            known.condition(bad, "cql2-text")
