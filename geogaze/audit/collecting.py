"""What to collect next: the tiles from which a network that leans on context would learn most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from rasterio.warp import transform_geom
from shapely.geometry import shape

from geogaze.audit.measuring import Measured
from geogaze.audit.sites import Place
from geogaze.processes.audit.plan import SitePlan
from geogaze.products.make.geopackage import GeoPackageWriter, Layer

_MOST = 200
_DEGREES = "EPSG:4326"
_LAYER = Layer(
    "collect",
    "Tiles to label next, the surest mistakes first",
    {
        "rank": "INTEGER",
        "scene": "TEXT",
        "row": "INTEGER",
        "col": "INTEGER",
        "why": "TEXT",
        "logit": "REAL",
    },
)


@dataclass(frozen=True)
class Candidate:
    """A tile that is worth a label.

    ``why`` is ``missed`` where it shows an object and is not called so, ``wrong`` where it shows
    none and is called so; ``logit`` is the class's, ``outline`` a polygon in degrees. ``surprise``
    is how sure the model is of its mistake, in logits.
    """

    scene: str
    place: Place
    why: str
    logit: float
    surprise: float
    outline: Any


def to_collect(
    sites: Sequence[Measured], plans: Sequence[SitePlan], target: int, *, one_of: bool
) -> list[Candidate]:
    """The tiles to look at and label, the surest mistakes first.

    Objects that are missed are to be learnt with their surroundings, ground that is taken for one
    as ground.

    Args:
        sites: the scenes.
        plans: where each lies.
        target: position of the class.
        one_of: whether a tile is of one class alone. Logits of a softmax mean something by their
            differences, so the surest is surest over the next class.
    """
    found = []
    for site, plan in zip(sites, plans, strict=True):
        called = site.present[:, target]
        missed, wrong = site.shows & ~called, site.empty & called
        margin = site.logits[:, target]
        if one_of and site.logits.shape[1] > 1:
            margin = margin - np.delete(site.logits, target, axis=1).max(axis=1)
        for at in np.flatnonzero(missed | wrong):
            place = int(site.places[at, 0]), int(site.places[at, 1])
            why, logit = "missed" if missed[at] else "wrong", float(site.logits[at, target])
            sure = abs(float(margin[at]))
            found.append(Candidate(site.site, place, why, logit, sure, _outline(place, plan)))
    found.sort(key=lambda one: (-one.surprise, one.scene, one.place))
    return found[:_MOST]


def _outline(place: Place, plan: SitePlan) -> Any:
    top, left = (at * plan.size for at in place)
    corners = [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)]
    ring = [
        plan.working.transform @ (left + across * plan.size, top + down * plan.size)
        for across, down in corners
    ]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    return shape(transform_geom(plan.scene.crs_wkt, "OGC:CRS84", polygon))


def write_geopackage(candidates: Sequence[Candidate], target: Path) -> None:
    """Write the layer ``collect``; a file of that name is replaced."""
    target.unlink(missing_ok=True)
    outlines = np.array([one.outline for one in candidates], dtype=object)
    rows = [
        (rank, one.scene, *one.place, one.why, round(one.logit, 4))
        for rank, one in enumerate(candidates, 1)
    ]
    with GeoPackageWriter(target, _LAYER, CRS(_DEGREES).to_wkt(), _DEGREES) as file:
        file.add(shapely.force_2d(outlines), rows)
