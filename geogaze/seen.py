"""What a model says of the classes of a finished job, by the job's STAC Item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from geogaze.models.sureness import sureness_in

_HEAT = "heat-"


class Seen(NamedTuple):
    """What the model says of a layer's class.

    Attributes:
        tiles: in how many tiles it is best (of several labels: present); None where that is not
            counted, as of two classes.
        highest: the highest probability in a tile, 0..1, or of a network that labels pixels the
            largest share; None where scores are none.
    """

    tiles: int | None
    highest: float | None


def seen_in(item: Mapping[str, Any]) -> dict[str, Seen]:
    """What the model says of each layer's class, by the STAC Item of a finished job; the layers of
    most tiles first.
    """
    assets: Mapping[str, Mapping[str, Any]] = item["assets"]
    highest = f"geogaze:highest_{sureness_in(assets.values()).name}"
    found = {
        name.removeprefix(_HEAT): Seen(
            about.get("geogaze:best_of_tiles", about.get("geogaze:in_tiles")), about.get(highest)
        )
        for name, about in assets.items()
        if name.startswith(_HEAT)
    }
    return dict(sorted(found.items(), key=lambda one: -(one[1].tiles or 0)))
