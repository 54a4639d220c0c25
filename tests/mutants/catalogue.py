"""The lists of faults: one TOML file for each area, read and checked against the code.

A file holds ``[[file]]`` tables: ``path`` of the code, ``tests`` that should notice, and
``faults``, each ``{old, new}``. A fault may name ``tests`` of its own. One that no test can see
says why in ``survives``; it counts as not noticed all the same.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "lists"


class Refused(Exception):
    """A fault that does not fit the code any more, or that is none."""


@dataclass(frozen=True)
class Mutant:
    """One fault. ``path`` and ``tests`` are relative to the repository."""

    area: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    survives: str = ""

    def applied(self, source: str) -> str:
        """The module with the fault in it.

        Raises:
            Refused: the old text is not there exactly once, or the new text is no Python.
        """
        found = source.count(self.old)
        if found != 1:
            raise Refused(f"{self}: the old text is found {found} times, not once.")
        mutated = source.replace(self.old, self.new)
        try:
            compile(mutated, self.path, "exec")
        except SyntaxError as error:
            raise Refused(f"{self}: the new text does not compile: {error}.") from error
        if mutated == source:
            raise Refused(f"{self}: the new text is the old one.")
        return mutated

    def __str__(self) -> str:
        def line(text: str) -> str:
            return " ".join(text.split())

        return f"{self.path}: {line(self.old)!r} → {line(self.new)!r}"


def read(folder: Path = LISTS) -> list[Mutant]:
    """All faults, area by area."""
    mutants = []
    for path in sorted(folder.glob("*.toml")):
        for table in tomllib.loads(path.read_text())["file"]:
            for fault in table["faults"]:
                tests = tuple(fault.get("tests", table["tests"]))
                survives = fault.get("survives", "")
                found = Mutant(
                    path.stem, table["path"], fault["old"], fault["new"], tests, survives
                )
                mutants.append(found)
    return mutants


def refusals(mutants: list[Mutant], root: Path) -> dict[Mutant, str]:
    """The faults that cannot be tried, and why."""
    wrong = {}
    for mutant in mutants:
        missing = [t for t in mutant.tests if not (root / t.partition("::")[0]).exists()]
        if not (root / mutant.path).is_file():
            wrong[mutant] = f"{mutant}: there is no such module."
        elif missing:
            wrong[mutant] = f"{mutant}: there is no {', no '.join(missing)}."
        else:
            try:
                mutant.applied((root / mutant.path).read_text())
            except Refused as refused:
                wrong[mutant] = str(refused)
    return wrong
