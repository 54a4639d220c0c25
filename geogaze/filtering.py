"""CQL2 filters as SQL conditions, on any table: text or JSON in, conditions with bound values out.

``cql2`` reads both encodings. It tries alternatives without end where parentheses are nested, and
a deep nest ends the process, so what may be nested is counted before it looks at a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import cql2
import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from sqlalchemy import ColumnElement, and_, false, func, literal, not_, or_, true

from geogaze.errors import InvalidRequest
from geogaze.intervals import instant
from geogaze.patterns import alike

LONGEST = 2000
_NESTED = 8  # parentheses, and negations: at worst 63 ms (measured)
_DEEPEST = 24  # of an expression in JSON
_MOST = 500  # parts: SQLite takes no thousand, and thousands take SQLAlchemy half a minute

Kind = Literal["text", "number", "time", "id"]
Language = Literal["cql2-text", "cql2-json"]

CLASSES = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators"),
    *("case-insensitive-comparison", "property-property"),
)
"""What of the standard is true of every filter here."""
SPATIAL_CLASSES = ("basic-spatial-functions", "basic-spatial-functions-plus")
"""And where there is a geometry to ask for."""


class InvalidFilter(InvalidRequest):
    """A filter is no CQL2, or asks for what cannot be told here."""

    slug = "invalid-filter"
    title = "The filter is not valid"


@dataclass(frozen=True)
class Queryable:
    """What a filter may name: where it is, what it is compared with, what it means.

    ``time`` columns hold seconds since 1970, ``id`` columns UUIDs.
    """

    column: ColumnElement[Any]
    kind: Kind
    title: str

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema tells it."""
        if self.kind == "number":
            return {"title": self.title, "type": "number"}
        formats = {"time": "date-time", "id": "uuid"}
        form = {"format": formats[self.kind]} if self.kind in formats else {}
        return {"title": self.title, "type": "string", **form}


@dataclass(frozen=True)
class Queryables:
    """All that filters may name. ``geometry`` is the name of the geometry, and what makes a
    condition of it: that it intersects a shape. None where filters may not ask for that.
    """

    named: Mapping[str, Queryable]
    geometry: tuple[str, Callable[[shapely.Geometry], ColumnElement[bool]]] | None = None

    def condition(self, given: str | dict[str, Any], language: Language) -> ColumnElement[bool]:
        """What a filter asks for, as SQL.

        Raises:
            InvalidFilter: it is none, or none of these queryables.
        """
        return _Reading(self).condition(_parsed(given, language), 0)


def _parsed(given: str | dict[str, Any], language: Language) -> Any:
    """A filter as CQL2's JSON."""
    if language == "cql2-text" and not isinstance(given, str):
        raise InvalidFilter("filter: cql2-text is a text; say filter-lang=cql2-json for JSON.")
    text = given if isinstance(given, str) else json.dumps(given)
    if language == "cql2-text":
        _check_nesting(text)
    elif isinstance(given, str) and len(text) > 10 * LONGEST:
        raise InvalidFilter(f"filter: it has more than {10 * LONGEST:,} characters.")
    try:
        parse = cql2.parse_text if language == "cql2-text" else cql2.parse_json
        return parse(text).to_json()
    except (cql2.ParseError, ValueError) as error:
        said = " ".join(str(error).split())
        raise InvalidFilter(f"filter: it cannot be read as {language}: {said[:300]}") from error


def _check_nesting(text: str) -> None:
    if len(text) > LONGEST:
        raise InvalidFilter(
            f"filter: it has {len(text):,} characters; at most {LONGEST:,} are read as text: "
            "send longer ones by POST, as cql2-json."
        )
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")" and depth > 0)
        deepest = max(deepest, depth)
    negations = len(re.findall(r"\bnot\b", text, re.IGNORECASE))
    minuses = max((len(run) for run in re.findall(r"[-\s]+", text)), default=0)
    if max(deepest, negations, minuses) > _NESTED:
        raise InvalidFilter(
            f"filter: more than {_NESTED} parentheses, negations or signs within one another are "
            "not read as text: send it by POST, as cql2-json."
        )


@dataclass(frozen=True)
class _Operand:
    """A side of a comparison; what cannot be told from a literal alone is told by the other."""

    kind: Kind | Literal["truth"] | None
    value: Any


class _Reading:
    """One filter's way to SQL."""

    def __init__(self, queryables: Queryables) -> None:
        self._known, self._counted = queryables, 0

    def condition(self, node: Any, depth: int) -> ColumnElement[bool]:
        """What is true or false."""
        self._count()
        if depth > _DEEPEST:
            raise InvalidFilter(f"filter: it is nested deeper than {_DEEPEST}.")
        if isinstance(node, bool):
            return true() if node else false()
        if not isinstance(node, dict) or "op" not in node:
            raise InvalidFilter(f"filter: {_shown(node)} is neither true nor false.")
        name, given = str(node["op"]), list(node.get("args", ()))
        match name.lower(), given:
            case ("and" | "or") as junction, [_, *_]:
                parts = [self.condition(part, depth + 1) for part in given]
                return and_(*parts) if junction == "and" else or_(*parts)
            case "not", [part]:
                return not_(self.condition(part, depth + 1))
            case (("=" | "<>" | "<" | "<=" | ">" | ">="), [left, right]):
                return self._compared(name, left, right)
            case "between", [tested, low, high]:
                return and_(self._compared(">=", tested, low), self._compared("<=", tested, high))
            case "in", [tested, [_, *_] as listed]:
                return or_(*(self._compared("=", tested, one) for one in listed))
            case "like", [tested, pattern]:
                return self._alike(tested, pattern)
            case "isnull", [{"property": asked}]:
                found: ColumnElement[bool] = self._named(asked).column.is_(None)
                return found
            case "s_intersects", [left, right]:
                return self._intersecting(left, right)
        raise InvalidFilter(
            f"filter: {name[:40]!r} with {len(given)} arguments is not done here; there are and, "
            "or, not, comparisons, BETWEEN, IN, LIKE, IS NULL, CASEI"
            f"{' and S_INTERSECTS' if self._known.geometry else ''}."
        )

    def _compared(self, name: str, left: Any, right: Any) -> ColumnElement[bool]:
        self._count()
        sides = [self._operand(left), self._operand(right)]
        kinds = {side.kind for side in sides if side.kind}
        if len(kinds) > 1:
            raise InvalidFilter(
                f"filter: {_shown(left)} is {sides[0].kind or 'text'} and {_shown(right)} is "
                f"{sides[1].kind or 'text'}: they cannot be compared."
            )
        kind = kinds.pop() if kinds else "text"
        if kind == "id" and name not in {"=", "<>"}:
            raise InvalidFilter(f"filter: identifiers are equal or not; none is {name} another.")
        one, other = (_as(side, kind) for side in sides)
        compared: ColumnElement[bool] = one.op(name, is_comparison=True)(other)
        return compared

    def _operand(self, node: Any) -> _Operand:
        match node:
            case {"property": asked}:
                found = self._named(asked)
                return _Operand(found.kind, found.column)
            case {"op": op, "args": [inner]} if str(op).lower() == "casei":
                side = self._operand(inner)
                return _Operand("text", func.lower(_as(side, "text")))
            case {"timestamp": str(text)}:
                return _Operand("time", instant(text))
            case {"date": str(text)}:
                return _Operand("time", instant(f"{text}T00:00:00Z"))
            case str():
                return _Operand(None, node)
            case bool():
                return _Operand("truth", node)
            case int() | float():
                return _Operand("number", node)
        raise InvalidFilter(f"filter: {_shown(node)} cannot be compared here.")

    def _alike(self, tested: Any, pattern: Any) -> ColumnElement[bool]:
        folded = isinstance(pattern, dict) and str(pattern.get("op")).lower() == "casei"
        plain = pattern["args"][0] if folded else pattern
        side = self._operand(tested)
        if not isinstance(plain, str):
            raise InvalidFilter("filter: LIKE is of text and a pattern in quotes.")
        wanted = plain.lower() if folded else plain
        if re.search(r"(?<!\\)(\\\\)*\\$", wanted):
            raise InvalidFilter("filter: the pattern of LIKE ends with a lone backslash.")
        return alike(_as(side, "text"), wanted)

    def _intersecting(self, left: Any, right: Any) -> ColumnElement[bool]:
        if self._known.geometry is None:
            raise InvalidFilter(
                "filter: S_INTERSECTS is not done here; say the place by bbox or intersects."
            )
        name, meets = self._known.geometry
        if right == {"property": name}:
            left, right = right, left
        if left != {"property": name}:
            raise InvalidFilter(f"filter: S_INTERSECTS is of {name!r} and a geometry.")
        return meets(geometry_of(right))

    def _count(self) -> None:
        self._counted += 1
        if self._counted > _MOST:
            raise InvalidFilter(f"filter: it has more than {_MOST} parts.")

    def _named(self, asked: Any) -> Queryable:
        name = str(asked)
        if name not in self._known.named:
            offered = ", ".join(sorted(self._known.named))
            raise InvalidFilter(
                f"filter: there is no queryable {name[:80]!r}; there are {offered[:500]}."
            )
        return self._known.named[name]


def _as(side: _Operand, kind: Kind | Literal["truth"]) -> ColumnElement[Any]:
    """A side as SQL, of what the other is.

    Raises:
        InvalidFilter: it is something else.
    """
    value = side.value
    if side.kind not in {None, kind} or (side.kind is None and kind not in {"text", "id"}):
        raise InvalidFilter(f"filter: {side.kind or 'text'} stands where {kind} is meant.")
    if isinstance(value, ColumnElement):
        return value
    if kind != "id":
        return literal(value)
    try:
        return literal(UUID(value))
    except ValueError:
        return literal(UUID(int=0))  # nothing is called so


def geometry_of(node: Any, named: str = "filter") -> shapely.Geometry:
    """A shape as CQL2's JSON has it: GeoJSON, or a box.

    Raises:
        InvalidFilter: it is none.
    """
    try:
        box = node.get("bbox", ()) if isinstance(node, dict) else ()
        found = _box(*box[:2], *box[len(box) // 2 :][:2]) if len(box) in {4, 6} else shape(node)
    except (ShapelyError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise InvalidFilter(f"{named}: {_shown(node)} is no geometry: {error}") from error
    if found.is_empty or not shapely.is_valid(found) or not np.isfinite(found.bounds).all():
        raise InvalidFilter(f"{named}: {_shown(node)} is empty, or crosses itself.")
    return found


def _box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """A box; of two parts where it crosses the 180th meridian, which it can in degrees alone."""
    if west <= east:
        return shapely.box(west, south, east, north)
    if not -180 <= east < west <= 180:
        raise ValueError(f"its west {west} lies beyond its east {east}")
    return _box(west, south, 180, north).union(_box(-180, south, east, north))


def _shown(node: Any) -> str:
    text = str(node["property"]) if isinstance(node, dict) and "property" in node else repr(node)
    return text if len(text) <= 80 else f"{text[:80]} …"
