"""The process that looks at one scene, or describes it: ``python -m geogaze.scene.child``."""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geogaze.config import Settings

REFUSED, AWAY = 3, 4
"""How it ends where it has something to say; else it ended as nobody meant it to."""

KINDS = ("SceneUnreadable", "SceneUnusable", "SceneAway", "SceneUnreachable", "SceneReplaced")
"""Errors of :mod:`geogaze.errors` that it tells of a scene that it describes."""


def main() -> int:
    """Look at the scene that standard input names; what is wrong goes to standard output.

    What has ``facts`` is described, on standard output.
    """
    task = json.load(sys.stdin)
    _confine(task["megabytes"], task["seconds"])
    if "facts" in task:
        return _describe(task["facts"], task["settings"])
    from geogaze.config import Settings
    from geogaze.errors import SceneAway, SceneReplaced, SceneUnreadable, SceneUnusable
    from geogaze.scene.polygons import PolygonsUnreadable

    try:
        look_at(task["scene"], Settings(**task["settings"]))
    except (SceneUnreadable, SceneUnusable, PolygonsUnreadable) as error:
        status, said = REFUSED, str(error)
    except (SceneAway, SceneReplaced) as error:
        status, said = AWAY, str(error)
    else:
        return 0
    sys.stdout.write(said)
    return status


def look_at(scene: str, settings: Settings) -> None:
    """Open a scene as a job would, and read the sample that planning reads; or what is named as a
    file of polygons, and read those; or as a bundle.

    Raises:
        SceneUnreadable, SceneUnusable, PolygonsUnreadable: no job takes it.
        SceneAway: its store does not answer.
    """
    from geogaze.scene.packed import check_uploaded, named_packed
    from geogaze.scene.policy import SourcePolicy
    from geogaze.scene.polygons import check_polygons, named_polygons
    from geogaze.scene.readers import open_reader

    if named_packed(scene):
        check_uploaded(scene, settings)
        return
    if named_polygons(scene):
        check_polygons(scene, SourcePolicy.of(settings), settings)
        return
    with open_reader(scene, SourcePolicy.of(settings), settings) as reader:
        reader.facts(("any",), (1,), ((0.0, 1.0),))  # the bands are for a model to say


def _describe(asked: dict[str, Any], told: dict[str, Any]) -> int:
    from geogaze import errors
    from geogaze.config import Settings
    from geogaze.scene.policy import SourcePolicy
    from geogaze.scene.readers import open_reader
    from geogaze.scene.reading import Reading

    kinds = tuple(getattr(errors, name) for name in KINDS)
    settings, reading = Settings(**told), Reading(**asked["reading"])
    try:
        with open_reader(
            asked["scenes"], SourcePolicy.of(settings), settings, reading=reading
        ) as reader:
            scene = reader.facts(asked["band_names"], asked["bands"], asked["rescale"])
    except kinds as error:  # any other ends it, as the memory's end does
        kind = next(k.__name__ for k in type(error).__mro__ if k in kinds)
        json.dump({"kind": kind, "said": str(error)}, sys.stdout)
        return REFUSED
    sys.stdout.write(scene.model_dump_json())
    return 0


def _confine(megabytes: int, seconds: float) -> None:
    """No more memory and time than that, no file written, no core dumped."""
    memory, whole = megabytes * 2**20, int(seconds) + 1
    signal.alarm(whole)  # also where nobody is left who would kill it
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    sys.exit(main())
