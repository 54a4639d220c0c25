"""The table of runs, in which those of many sessions add up.

Each row names the revision of what was simulated: a number is run once by each, and rows of
different revisions are never summed up together.
"""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.simulation.search import Found, search

TABLE = Path(__file__).with_name("runs.csv")
_ROOT = Path(__file__).parents[2]
_LEDGER = (
    *("claims", "collection", "database", "pace", "queue", "records", "remaking", "retries"),
    *("spending", "states", "steps", "store", "submission", "tables", "transitions", "workers"),
)
_RUNNER = ("company", "heartbeat", "lanes", "phases/resources", "pulse", "work")
_WORKER = ("child", "dispatcher", "sweeper", "tasks")
_OWN = (
    *("broker", "clock", "database", "faults", "history", "judge", "recorded", "schedule"),
    *("storage", "threads", "trial", "work", "world"),
)
_SIMULATED = (
    *(f"geogaze/ledger/{name}.py" for name in _LEDGER),
    *(f"geogaze/runner/{name}.py" for name in _RUNNER),
    *(f"worker/{name}.py" for name in _WORKER),
    *(f"tests/simulation/{name}.py" for name in _OWN),
)
"""What decides how a schedule ends."""


@dataclass(frozen=True)
class Row:
    """Schedules ``first`` to ``last`` of a seed; ``cpu_seconds`` are of one core."""

    revision: str
    seed: str
    first: int
    last: int
    schedules: int
    transactions: int
    cpu_seconds: float
    violations: int


def revision() -> str:
    """Of what is simulated: the same whatever docstrings and comments say."""
    said = "\n".join(_code((_ROOT / name).read_text(encoding="utf-8")) for name in _SIMULATED)
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [  # type: ignore[attr-defined]
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return ast.dump(tree)


def read(table: Path) -> list[Row]:
    """All rows of a table, none where there is no file."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return [_row(told) for told in csv.DictReader(file)]


def _row(told: dict[str, str]) -> Row:
    kinds = {"str": str, "int": int, "float": float}
    return Row(**{field.name: kinds[str(field.type)](told[field.name]) for field in fields(Row)})


def run_and_add(
    table: Path, seed: str, schedules: int, most: int, say: Callable[[str], None]
) -> Found:
    """Go on where the table ends for a seed, and put down what came of it."""
    now = revision()
    done = [row.last for row in read(table) if (row.revision, row.seed) == (now, seed)]
    first = max(done, default=0) + 1
    found = search(seed, schedules, (), most, say, first=first)
    if found.schedules:
        last = first + found.schedules - 1
        seconds = round(found.seconds, 1)
        violations = len(found.names)
        counts = (found.schedules, found.transactions, seconds, violations)
        _append(table, Row(now, seed, first, last, *counts))
    return found


def _append(table: Path, row: Row) -> None:
    fresh = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(asdict(row))
