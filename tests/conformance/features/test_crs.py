"""Part 2: features in the scene's own CRS, and asked for by it."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np
import pyproj
import shapely
from shapely.geometry import shape

from geogaze.gis.frames import CRS84
from tests.conformance.features.conftest import COLLECTIONS, Features
from tests.conformance.requirements import meets
from tests.unit.api.featured import COUNT, OWN
from tests.unit.gis.packages import CORNER, outlines

CRS = "features-2/crs"
UNKNOWN = "http://www.opengis.net/def/crs/EPSG/0/27700"


@meets(CRS, "crs-uri", "default-crs", "storageCrs")
def test_collections_list_their_crss(features: Features) -> None:
    listed = features.document("/collections")["collections"]
    for one in [*listed, *(features.document(f"/collections/{name}") for name in COLLECTIONS)]:
        assert one["crs"] == [CRS84, OWN]
        assert all(urlsplit(uri).scheme == "http" for uri in one["crs"])
        assert one["storageCrs"] == OWN


@meets(CRS, "crs-parameter", "crs-parameter-default")
def test_the_answer_says_its_crs(features: Features) -> None:
    for name in COLLECTIONS:
        for path in (f"/collections/{name}/items", f"/collections/{name}/items/2"):
            for uri, query in ((CRS84, {}), (CRS84, {"crs": CRS84}), (OWN, {"crs": OWN})):
                answer = features.get(path, **query)
                assert answer.status_code == 200
                assert answer.headers["content-crs"] == f"<{uri}>"
                for link in answer.json()["links"]:
                    if link["rel"] == "self":
                        again = features.get(link["href"])
                        assert again.headers["content-crs"] == f"<{uri}>"


@meets(CRS, "crs-parameter-invalid", "bbox-crs-parameter-invalid")
def test_other_crss_are_refused(features: Features) -> None:
    for uri in (UNKNOWN, "EPSG:32631", "", "#/crs"):
        for path in ("/collections/hotspots/items", "/collections/hotspots/items/2"):
            assert features.get(path, crs=uri).status_code == 400
        box = {"bbox": "0,0,1,1", "bbox-crs": uri}
        assert features.get("/collections/hotspots/items", **box).status_code == 400


@meets(CRS, "crs-parameter-transform")
def test_features_lie_at_the_same_place_in_each(features: Features) -> None:
    way = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32631", always_xy=True)
    own = [shape(feature["geometry"]) for feature in features.items("hotspots", crs=OWN)]
    assert own == outlines(COUNT)
    for feature, there in zip(features.items("hotspots"), own, strict=True):
        placed = shapely.transform(
            shape(feature["geometry"]), lambda xy: np.stack(way.transform(*xy.T), axis=1)
        )
        assert shapely.hausdorff_distance(placed, there) < 1e-3


@meets(CRS, "bbox-crs-parameter", "bbox-crs-parameter-default")
def test_a_bbox_may_be_told_in_each(features: Features) -> None:
    x, y = CORNER
    box = (x + 520, y + 520, x + 1075, y + 1075)
    wanted = [i + 1 for i, one in enumerate(outlines(COUNT)) if one.intersects(shapely.box(*box))]
    asked = ",".join(map(str, box))
    found = features.items("hotspots", bbox=asked, bbox_crs=OWN)
    assert [feature["id"] for feature in found] == wanted == [6, 7, 8, 9, 10, 11]
    degrees = ",".join(map(str, shape(found[2]["geometry"]).bounds))
    plain = features.items("hotspots", bbox=degrees)
    assert plain == features.items("hotspots", bbox=degrees, bbox_crs=CRS84)
    assert [feature["id"] for feature in plain] == [8]
