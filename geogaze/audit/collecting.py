"""What to collect next: the tiles from which a network that leans on context would learn most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.warp import transform_geom

from geogaze.audit.measuring import Measured
from geogaze.audit.sites import Ground

_MOST = 200


def to_collect(sites: Sequence[Measured], grounds: Sequence[Ground], target: int) -> dict[str, Any]:
    """The tiles to look at and label, the most telling first, as GeoJSON.

    Objects that the model misses are to be learnt with their surroundings; ground without objects
    that it calls the class, or nearly, is to be learnt as such.

    Args:
        sites: the scenes.
        grounds: where each lies.
        target: position of the class.
    """
    found = []
    for site, ground in zip(sites, grounds, strict=True):
        logits = site.logits[:, target]
        called = site.present[:, target]
        missed, wrong = site.shows & ~called, site.empty & called
        for at in np.flatnonzero(missed | wrong):
            why = "missed" if missed[at] else "wrong"
            surprise = float(-logits[at] if missed[at] else logits[at])
            found.append((surprise, site.site, why, float(logits[at]), site.places[at], ground))
    found.sort(key=lambda one: (-one[0], one[1], tuple(one[4])))
    features = [
        {
            "type": "Feature",
            "geometry": _outline(place, ground),
            "properties": {
                "rank": rank,
                "scene": scene,
                "row": int(place[0]),
                "col": int(place[1]),
                "why": why,
                "logit": round(logit, 4),
            },
        }
        for rank, (_, scene, why, logit, place, ground) in enumerate(found[:_MOST], 1)
    ]
    return {"type": "FeatureCollection", "features": features}


def _outline(place: Any, ground: Ground) -> dict[str, Any]:
    top, left = (int(at) * ground.size for at in place)
    corners = [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)]
    ring = [
        ground.transform @ (left + across * ground.size, top + down * ground.size)
        for across, down in corners
    ]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    moved: dict[str, Any] = transform_geom(ground.crs_wkt, "OGC:CRS84", polygon)
    return moved
