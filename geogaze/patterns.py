"""Text by a pattern, by case, on any database: LIKE as CQL2 has it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


def alike(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is as a pattern says: % for any letters, _ for one, and a backslash before
    what is meant as it is.
    """
    return like(text, literal(pattern), literal(_glob(pattern)))


class like(FunctionElement[bool]):  # noqa: N801  used like a SQL function
    """Text by a pattern, given as LIKE has it and as GLOB has it: by case on any database."""

    inherit_cache = True


@compiles(like, "postgresql")
def _like_postgresql(element: like, compiler: Any, **options: Any) -> str:
    text, pattern, _ = (compiler.process(part, **options) for part in element.clauses)
    return f"{text} LIKE {pattern} ESCAPE '\\'"


@compiles(like, "sqlite")
def _like_sqlite(element: like, compiler: Any, **options: Any) -> str:
    # LIKE knows no case there.
    text, _, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"{text} GLOB {pattern}"


def _glob(pattern: str) -> str:
    """A pattern of LIKE, with a backslash before what is meant as it is, as GLOB has it."""
    made, letters = [], iter(pattern)
    for letter in letters:
        plain = next(letters, "\\") if letter == "\\" else None
        if plain is None and letter in "%_":
            made.append("*" if letter == "%" else "?")
        else:
            plain = plain or letter
            made.append(f"[{plain}]" if plain in "*?[" else plain)
    return "".join(made)
