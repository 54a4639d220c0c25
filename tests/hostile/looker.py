"""The process that looks: a task a line on standard input, what came of it a line on its output.

A task is ``{"scene": path}``, or ``{"base": path, "seed": n, "to": path}`` for a mutated copy. Each
scene is looked at as an upload is, and its first pixels are read as by a job.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from geogaze.config import Settings
from geogaze.errors import GeogazeError
from geogaze.grid.lattice import WorkingGrid
from geogaze.scene.child import look_at
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import PartUnread
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView
from tests.hostile.mutating import mutated

_SIDE = 64


def look(path: str, settings: Settings) -> dict[str, Any]:
    """What a scene comes to: its answer and what is said to who sent it."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        look_at(path, settings)
        _read(path, settings)
    except (GeogazeError, PartUnread) as error:
        answer, said = type(error).__name__, str(error)
    except Exception as error:  # what nobody thought of is what is looked for
        answer, said = f"bug: {type(error).__name__}", str(error)
    else:
        answer, said = "taken", ""
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    seconds = time.process_time() - started
    return {"answer": answer, "said": said, "seconds": seconds, "grown": round(grown, 1)}


def _read(path: str, settings: Settings) -> None:
    policy = SourcePolicy.of(settings)
    with open_reader(path, policy, settings) as reader:
        info = reader.facts(("any",), (1,), ((0.0, 1.0),))
        grid = WorkingGrid.over(info.width, info.height, info.affine, 1.0)
        view = SceneView(reader, info, grid)
        view.read((0, 0, min(_SIDE, grid.height), min(_SIDE, grid.width)))


def main() -> None:
    """Look until there is nothing more."""
    settings = Settings(storage=sys.argv[1], database_url="sqlite://")
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    for line in sys.stdin:
        task = json.loads(line)
        if "base" in task:
            data = mutated(Path(task["base"]).read_bytes(), task["seed"])
            Path(task["to"]).write_bytes(data)
        sys.stdout.write(json.dumps(look(task.get("scene") or task["to"], settings)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
