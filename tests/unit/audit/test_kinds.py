"""Which polygons are objects, and which other ground; the same kinds for all scenes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geogaze.audit.kinds import Truth, kinds_of
from geogaze.errors import InvalidRequest


def truth(folder: Path, values: list[str], **more: Path) -> Truth:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
    features = [
        {"type": "Feature", "properties": {"class": value}, "geometry": square} for value in values
    ]
    path = folder / f"{'-'.join(values[:3])}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return Truth(f"{path.stem}.tif", path, more, by="class")


def test_scenes_with_other_kinds_have_the_same_list(tmp_path: Path) -> None:
    one, two = truth(tmp_path, ["Boat", "Car", "boat"]), truth(tmp_path, ["Tank", "the rest"])
    kinds, (first, second) = kinds_of([one, two], "boat")
    assert kinds == ("objects", "Car", "Tank", "class the rest", "the rest")
    shown = {kind: document and len(document["features"]) for kind, document in first.items()}
    assert shown == {"objects": 2, "Car": 1, "Tank": None, "class the rest": None}
    assert second["objects"] is None, "a scene without objects is ground"
    assert second["Tank"]


def test_kinds_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    boats = truth(tmp_path, ["Boat", "Car"])
    with pytest.raises(InvalidRequest, match="Boat, Car"):
        kinds_of([boats], "ship")
    with pytest.raises(InvalidRequest, match="--cover Car"):
        kinds_of([Truth(boats.scene, boats.objects, {"Car": boats.objects}, "class")], "boat")
    with pytest.raises(InvalidRequest, match="61 kinds"):
        kinds_of([truth(tmp_path, ["Boat", *map(str, range(60))])], "boat")
