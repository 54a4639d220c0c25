"""The command ``audit`` on folders of results: what ``geogaze run`` left says scene and model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geogaze.errors import InvalidRequest

_NEEDED = {"geogaze:model", "geogaze:weights", "geogaze:bands", "geogaze:rescale"}
_NEAR = 0.01  # of a run's extent: places are rounded


def are_folders(names: list[str]) -> bool:
    """Whether all that is to be audited are folders of results, which have an ``item.json``.

    Raises:
        InvalidRequest: some are, and others are not.
    """
    folders = [name for name in names if (Path(name) / "item.json").is_file()]
    if folders and len(folders) < len(names):
        raise InvalidRequest(
            f"{folders[0]} is a folder of results, and others are not; audit them apart."
        )
    return bool(folders)


def of_folders(names: list[str], model: str | None) -> dict[str, Any]:
    """Inputs of an audit: each folder's scene, read as it was, and the model of all.

    Args:
        names: of the folders.
        model: to be audited in place of theirs.

    Returns:
        ``scenes``, and ``model`` and ``weights``, the latter None where a model was given.

    Raises:
        InvalidRequest: a folder is none of a run's, its scene has gone or is of several files or
            was read as no audit does, or they are of several models.
    """
    items = [_item(name) for name in names]
    scenes = [_scene(name, item) for name, item in zip(names, items, strict=True)]
    if model is not None:
        return {"scenes": scenes, "model": model, "weights": None}
    found = {
        (item["properties"]["geogaze:model"], item["properties"]["geogaze:weights"])
        for item in items
    }
    if len(found) > 1:
        raise InvalidRequest(
            f"The folders are of several models ({', '.join(sorted(one for one, _ in found))}); "
            "say by --model which one is audited on their scenes."
        )
    ((named, weights),) = found
    return {"scenes": scenes, "model": named, "weights": weights}


def _item(name: str) -> dict[str, Any]:
    path = Path(name) / "item.json"
    try:
        item: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = {*item["properties"]} >= _NEEDED
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InvalidRequest(f"{path} is not of geogaze run; name the scene itself, and --model.")
    return item


def _scene(name: str, item: dict[str, Any]) -> dict[str, Any]:
    links = item.get("links", ())
    files = [link["href"] for link in links if link.get("rel") == "derived_from"]
    told = item["properties"]
    if len(files) != 1 or told.get("geogaze:square"):
        why = "made square" if told.get("geogaze:square") else f"of {len(files)} files"
        raise InvalidRequest(
            f"{name} is of a scene that was {why}; an audit takes scenes of one file as they are. "
            "Name the scene itself."
        )
    (scene,) = files
    if "://" not in scene and not Path(scene).exists():
        raise InvalidRequest(
            f"The scene of {name}, {scene}, has gone, seen from {Path.cwd()}: put it back, begin "
            "where geogaze run did, or name the scene itself."
        )
    asked = {"bands": told["geogaze:bands"], "rescale": told["geogaze:rescale"]}
    ran, lies = item.get("bbox"), _extent(scene, **asked)
    if ran and lies:
        near = max(ran[2] - ran[0], ran[3] - ran[1]) * _NEAR
        if any(abs(one - other) > near for one, other in zip(ran, lies, strict=True)):
            there, here = ([round(degrees, 5) for degrees in box] for box in (ran, lies))
            raise InvalidRequest(
                f"{name} is of {there} (degrees), and {scene}, seen from {Path.cwd()}, of {here}: "
                "it is another scene, or --aoi took a part of it. Name the scene itself."
            )
    return {"scene": scene, **asked}


def _extent(
    scene: str, bands: list[int], rescale: list[tuple[float, float]]
) -> tuple[float, float, float, float] | None:
    """West, south, east, north of a scene, as an Item tells them."""
    from geogaze.config import get_settings
    from geogaze.processes.explain.place import place_of
    from geogaze.scene.policy import SourcePolicy
    from geogaze.scene.readers import open_reader

    with open_reader(scene, SourcePolicy.local(), get_settings()) as reader:
        info = reader.facts(("",) * len(bands), bands, rescale)
    return place_of(info.crs_wkt, info.affine, (0, 0, info.height, info.width)).bbox
