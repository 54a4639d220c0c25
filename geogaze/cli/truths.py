"""Polygons of what lies on scenes, as commands name them."""

from __future__ import annotations

from pathlib import Path

from geogaze.errors import InvalidRequest

_FILES = (".geojson", ".gpkg", ".fgb", ".shp")


def truths_of(scenes: list[str], given: list[Path] | None) -> list[Path]:
    """The file of each scene: those given, in order, or each that lies beside and is named alike.

    Raises:
        InvalidRequest: a file is missing, or there are too many or too few.
    """
    if given is not None and len(given) != len(scenes):
        raise InvalidRequest(
            f"--truth: {len(given)} files for {len(scenes)} scenes; give one for each, in order."
        )
    found = given or [_beside(scene) for scene in scenes]
    for path in found:
        if not path.is_file():
            raise InvalidRequest(f"There is no file {path}.")
    return found


def _beside(scene: str) -> Path:
    found = [path for suffix in _FILES if (path := Path(scene).with_suffix(suffix)).is_file()]
    if not found:
        raise InvalidRequest(
            f"Beside {scene} there are no polygons of its objects ({', '.join(_FILES)}): name "
            "them with --truth."
        )
    return found[0]
