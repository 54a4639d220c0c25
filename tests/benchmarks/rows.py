"""The table of planted runs: a row for each class of each network that was audited.

Runs of many sessions add up in it, so each row names the rule that it was made by, and rows of
different rules are never summed up together.
"""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import geogaze
from geogaze.audit.edits import PROBES
from geogaze.errors import InvalidRequest

TABLE = Path(__file__).with_name("planted.csv")

_PACKAGE = Path(geogaze.__file__).parent
_RULE = (
    *(_PACKAGE / "audit" / f"{name}.py" for name in ("verdict", "causing", "edits", "accounts")),
    *(_PACKAGE / "demo" / f"{name}.py" for name in ("planted", "planting")),
    Path(__file__).with_name("worlds.py"),
)
"""What decides a row: how worlds are drawn, networks are made and audits judge."""


@dataclass(frozen=True)
class Row:
    """What is known of a class of a network; a figure that has no value is None.

    ``rule`` is :func:`fingerprint` of when it was made; ``elsewhere`` the recall where a cue never
    goes with the class, the worst of kinds for a clean network; ``gain_…``, ``object_…`` and
    ``keeps_…`` are for each probe what ground gains, what tiles with the object gain, and the share
    that is still called the class. ``cpu_seconds`` are of the network for its first class.
    """

    rule: str
    kind: str
    strength: str
    seed: int
    target: str
    accuracy: float
    recall: float
    elsewhere: float
    worst: str
    verdict: str
    R: float | None
    R_low: float | None
    R_high: float | None
    R_filled: float | None
    rise: float
    drop: float
    control: float
    gain_warmer: float
    gain_cooler: float
    gain_blurred: float
    gain_sharpened: float
    object_warmer: float
    object_cooler: float
    object_blurred: float
    object_sharpened: float
    keeps_warmer: float | None
    keeps_cooler: float | None
    keeps_blurred: float | None
    keeps_sharpened: float | None
    forecast: float | None
    forecast_by_logit: float | None
    enrichment: float | None
    pointing: float | None
    tiles: int
    cpu_seconds: float

    @property
    def network(self) -> tuple[str, str, int]:
        """Which network it is of."""
        return self.kind, self.strength, self.seed

    @property
    def lost(self) -> float:
        """Recall that is lost elsewhere."""
        return self.recall - self.elsewhere

    @property
    def gains(self) -> dict[str, tuple[float, float]]:
        """Of each probe what ground gains and what tiles with the object do."""
        return {cue: (getattr(self, f"gain_{cue}"), getattr(self, f"object_{cue}"))
                for cue in PROBES}  # fmt: skip


_NUMBERS = {field.name: "int" if field.type == "int" else "float" for field in fields(Row)
            if field.type != "str"}  # fmt: skip


def fingerprint() -> str:
    """Of the rule: the same whatever docstrings and lines of comment say, and in any Python."""
    said = "\n".join(_code(path.read_text(encoding="utf-8")) for path in _RULE)
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def _code(text: str) -> str:
    said = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    kept = [line for number, line in enumerate(text.splitlines(), 1) if number not in said]
    return "\n".join(line for line in kept if line.strip() and not line.lstrip().startswith("#"))


def read_rows(table: Path) -> list[Row]:
    """All rows of a table, none where there is no file.

    Raises:
        InvalidRequest: it has other columns, or what should be a number is none.
    """
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != [field.name for field in fields(Row)]:
            raise InvalidRequest(f"{table} has other columns: {reader.fieldnames}; move it away.")
        try:
            return [
                Row(**{name: _read(name, text) for name, text in row.items()}) for row in reader
            ]
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{table}, line {reader.line_num}: {error}.") from error


def append_rows(table: Path, rows: Sequence[Row]) -> None:
    """Add rows of a network to a table, all of them at once."""
    table.parent.mkdir(parents=True, exist_ok=True)
    fresh = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows(
            {name: _told(value) for name, value in asdict(row).items()} for row in rows
        )


def _read(name: str, text: str) -> str | int | float | None:
    if name not in _NUMBERS:
        return text
    if not text:
        return None
    return int(text) if _NUMBERS[name] == "int" else float(text)


def _told(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
