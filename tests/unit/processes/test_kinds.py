"""Which polygons are objects, and which other ground; the same kinds for all scenes."""

from __future__ import annotations

from typing import Any

import pytest

from geogaze.errors import InvalidRequest
from geogaze.processes.audit.kinds import Truth, kinds_of


def truth(values: list[str], **more: dict[str, Any]) -> Truth:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
    features = [
        {"type": "Feature", "properties": {"class": value}, "geometry": square} for value in values
    ]
    document = {"type": "FeatureCollection", "features": features}
    return Truth("port.geojson", document, more, by="class")


def test_scenes_with_other_kinds_have_the_same_list() -> None:
    one, two = truth(["Boat", "Car", "boat"]), truth(["Tank", "the rest"])
    kinds, (first, second) = kinds_of([one, two], "boat")
    assert kinds == ("objects", "Car", "Tank", "class the rest", "the rest")
    shown = {kind: document and len(document["features"]) for kind, document in first.items()}
    assert shown == {"objects": 2, "Car": 1, "Tank": None, "class the rest": None}
    assert second["objects"] is None, "a scene without objects is ground"
    assert second["Tank"]


def test_kinds_that_cannot_be_told_apart_are_refused() -> None:
    boats = truth(["Boat", "Car"])
    with pytest.raises(
        InvalidRequest, match=r"port\.geojson shows no 'ship' by 'class': Boat, Car"
    ):
        kinds_of([boats], "ship")
    with pytest.raises(InvalidRequest, match="cover Car"):
        kinds_of([truth(["Boat", "Car"], Car=boats.objects)], "boat")
    with pytest.raises(InvalidRequest, match="61 kinds"):
        kinds_of([truth(["Boat", *map(str, range(60))])], "boat")
