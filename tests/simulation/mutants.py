"""Bugs planted into the protocol: how soon does the simulation find each?

Each is looked for in a fork of a process that has the libraries loaded and nothing of our own, so
the fork imports our code with the bug in it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.mutants.catalogue import Mutant, read, refusals

ROOT = Path(__file__).parents[2]
PLANTED = Path(__file__).parent
_SEED = "planted"
_LIBRARIES = ("celery", "kombu.transport.redis", "numpy", "pydantic", "rasterio", "shapely")
_LIBRARIES += ("sqlalchemy.orm", "structlog", "prometheus_client", "pydantic_settings")


def planted() -> list[Mutant]:
    """The bugs, in the form that the suite's own have; no test is named with them."""
    return read(PLANTED)


def find_all(match: str, schedules: int) -> int:
    """Look for each, for so many schedules at most; 0 where all are found."""
    mutants = [mutant for mutant in planted() if match in str(mutant)]
    if wrong := refusals(mutants, ROOT):
        print(*wrong.values(), sep="\n")
        return 2
    for name in _LIBRARIES:
        importlib.import_module(name)
    missed = 0
    for mutant in mutants:
        found = _in_a_fork(mutant, schedules)
        missed += found["violation"] is None
        words = " ".join((found["violation"] or "NOT FOUND").split())[:100]
        print(f"{found['seconds']:7.2f} s {found['schedules']:6}  {mutant}  {words}", flush=True)
    print(f"{len(mutants) - missed} of {len(mutants)} found")
    return int(missed > 0)


def _in_a_fork(mutant: Mutant, schedules: int) -> dict[str, Any]:
    answers, tells = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(answers)
            _plant(mutant)
            from tests.simulation.search import search

            found = search(_SEED, schedules, (), most=1)
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
        return {"seconds": 0.0, "schedules": 0, "violation": "it cannot even be imported"}
    found: dict[str, Any] = json.loads(told)
    return found


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
