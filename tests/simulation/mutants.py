"""Bugs planted into the protocol: how soon does the simulation find each?

Each is looked for in a fork of a process that has the libraries loaded and nothing of our own, so
the fork imports our code with the bug in it. What came of each is kept in a table, by its text.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import os
import resource
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tests.mutants.catalogue import Mutant, read, refusals

ROOT = Path(__file__).parents[2]
PLANTED = Path(__file__).parent
TABLE = PLANTED / "planted.csv"
_SEED = "planted"
_LOADING_SECONDS = 60
_LIBRARIES = ("celery", "kombu.transport.redis", "numpy", "pydantic", "rasterio", "shapely")
_LIBRARIES += ("sqlalchemy.orm", "structlog", "prometheus_client", "pydantic_settings")


def planted() -> list[Mutant]:
    """The bugs, in the form that the suite's own have; no test is named with them."""
    return read(PLANTED)


def find_all(match: str, schedules: int, seconds: float) -> int:
    """Look for each, in so many schedules or CPU seconds at most; 0 where all are found."""
    mutants = [mutant for mutant in planted() if match in str(mutant)]
    if wrong := refusals(mutants, ROOT):
        print(*wrong.values(), sep="\n")
        return 2
    for name in _LIBRARIES:
        importlib.import_module(name)
    missed = 0
    for mutant in mutants:
        looked = _in_a_fork(mutant, schedules, seconds)
        missed += not looked.violation
        words = looked.violation or "NOT FOUND"
        print(f"{looked.seconds:7.2f} s {looked.schedules:6}  {mutant}  {words}", flush=True)
        _keep(looked)
    print(f"{len(mutants) - missed} of {len(mutants)} found")
    return int(missed > 0)


@dataclass(frozen=True)
class Looked:
    """What came of looking for a bug: CPU seconds and schedules until its first violation.

    ``violation`` is empty where none was found.
    """

    bug: str
    seconds: float
    schedules: int
    violation: str


def _in_a_fork(mutant: Mutant, schedules: int, seconds: float) -> Looked:
    answers, tells = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(answers)
            # A bug may have a schedule go on without end; the process is ended then.
            most = 2 * int(seconds) + _LOADING_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))
            _plant(mutant)
            from tests.simulation.search import search

            found = search(_SEED, schedules, (), most=1, seconds=seconds)
            with os.fdopen(tells, "w") as pipe:
                pipe.write(json.dumps(vars(found)))
            status = 0
        finally:
            os._exit(status)
    os.close(tells)
    with os.fdopen(answers) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise SystemExit(f"No result of {mutant}: it cannot be imported, or a schedule never ends.")
    found: dict[str, Any] = json.loads(told)
    violation = " ".join((found["violation"] or "").split())[:100]
    return Looked(str(mutant), round(found["seconds"], 2), found["schedules"], violation)


def _keep(looked: Looked) -> None:
    """Put what came of a bug in its row of the table; rows of bugs that are gone are left out."""
    rows = {row.bug: row for row in kept()} | {looked.bug: looked}
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Looked)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(rows[bug]) for bug in map(str, planted()) if bug in rows)


def kept() -> list[Looked]:
    """The table's rows, none where there is no table."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="", encoding="utf-8") as file:
        return [
            Looked(told["bug"], float(told["seconds"]), int(told["schedules"]), told["violation"])
            for told in csv.DictReader(file)
        ]


def _plant(mutant: Mutant) -> None:
    """Let a module be what it is with a bug in it, for whoever imports it."""
    path = ROOT / mutant.path
    name = mutant.path.removesuffix(".py").replace("/", ".")
    assert not any(m.partition(".")[0] in {"geogaze", "worker"} for m in sys.modules)
    package, _, own = name.rpartition(".")
    parent = importlib.import_module(package)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    setattr(parent, own, module)
    exec(compile(mutant.applied(path.read_text()), str(path), "exec"), vars(module))
