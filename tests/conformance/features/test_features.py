"""Part 1, class core: what lies where, what leads where, and which features come."""

from __future__ import annotations

from typing import Any

import shapely
from shapely.geometry import shape

from api.feature_documents import CONFORMANCE
from geogaze.gis.frames import CRS84
from tests.conformance.features.conftest import COLLECTIONS, Features
from tests.conformance.requirements import FEATURES, meets
from tests.unit.api.featured import COUNT

CORE = "features-1/core"
GEOJSON, HTML, JSON = "application/geo+json", "text/html", "application/json"


def relations(document: Any, *kinds: str) -> dict[str, str]:
    """Where a document's links lead, by relation; ``kinds`` are what it must have of ``self`` and
    ``alternate``.
    """
    links = document["links"]
    if kinds:
        (itself,) = [link for link in links if link["rel"] == "self"]
        others = [link["type"] for link in links if link["rel"] == "alternate"]
        assert [itself["type"], *others] == list(kinds)
    return {link["rel"]: link["href"] for link in links}


@meets(CORE, "root-op", "root-success")
def test_the_landing_page_leads_everywhere(features: Features) -> None:
    for root in ("", "/"):
        page = features.document(root, "landingPage")
        leads = relations(page, JSON, HTML)
        assert {"service-desc", "service-doc", "conformance", "data"} <= set(leads)
    for link in page["links"]:
        answer = features.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].split("; charset")[0] == link["type"]


@meets(CORE, "api-definition-op", "api-definition-success")
def test_the_api_is_defined(features: Features) -> None:
    leads = relations(features.document(""))
    definition = features.get(leads["service-desc"]).json()
    assert definition["openapi"].startswith("3.0.")
    assert definition["servers"] == [{"url": features.root}]
    assert features.get(leads["service-doc"]).headers["content-type"].startswith(HTML)
    for name in COLLECTIONS:
        assert f"/collections/{name}/items" in definition["paths"]


@meets(CORE, "conformance-op", "conformance-success")
def test_the_classes_that_are_declared_are_those_tested_here(features: Features) -> None:
    declared = features.document("/conformance", "confClasses")["conformsTo"]
    assert declared == CONFORMANCE
    ours = {uri.removeprefix("http://www.opengis.net/spec/") for uri in declared}
    tested = {name.partition("/")[::2] for name in FEATURES}
    parts = {"cql2": "cql2"} | {f"features-{n}": f"ogcapi-features-{n}" for n in (1, 2, 3)}
    assert ours == {f"{parts[part]}/1.0/conf/{name}" for part, name in tested}


@meets(CORE, "http")
def test_requests_are_answered_as_http_says(features: Features) -> None:
    head = features.http.head(f"{features.root}/collections")
    assert (head.status_code, head.content) == (200, b"")
    refused = features.http.post(f"{features.root}/collections")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert features.get("/nowhere").status_code == 404
    assert features.get("/collections/nothing/items").status_code == 404


@meets(CORE, "fc-md-op", "fc-md-success", "fc-md-links", "fc-md-items", "fc-md-items-links")
def test_collections_are_listed_with_links_to_their_features(features: Features) -> None:
    document = features.document("/collections", "collections")
    relations(document, JSON, HTML)
    assert [one["id"] for one in document["collections"]] == list(COLLECTIONS)
    for one in document["collections"]:
        kinds = {link["type"] for link in one["links"] if link["rel"] == "items"}
        assert kinds == {GEOJSON, HTML}


@meets(CORE, "sfc-md-op", "sfc-md-success")
def test_a_collection_is_as_it_is_listed(features: Features) -> None:
    for listed in features.document("/collections")["collections"]:
        alone = features.document(f"/collections/{listed['id']}", "collection")
        relations(alone, JSON, HTML)
        assert alone == listed


@meets(CORE, "fc-md-extent", "fc-md-extent-multi", "crs84")
def test_extents_hold_all_features_which_lie_in_degrees(features: Features) -> None:
    for one in features.document("/collections")["collections"]:
        assert one["extent"]["spatial"]["crs"] == CRS84
        (bbox,) = one["extent"]["spatial"]["bbox"]
        found = features.items(one["id"])
        for feature in found:
            assert shapely.box(*bbox).contains(shape(feature["geometry"]))
        assert shapely.box(2, 48, 3, 49).contains(shapely.box(*bbox)), "where UTM 31 has them"
        answer = features.get(f"/collections/{one['id']}/items")
        assert answer.headers["content-crs"] == f"<{CRS84}>"


@meets(CORE, "fc-op", "fc-response", "fc-links", "fc-numberReturned", "fc-timeStamp")
def test_features_come_as_a_collection_with_links(features: Features) -> None:
    for name, count in (("hotspots", COUNT), ("tiles", 3)):
        page = features.document(f"/collections/{name}/items", "featureCollection")
        assert page["numberReturned"] == len(page["features"]) == page["numberMatched"] == count
        assert relations(page, GEOJSON, HTML)["self"].endswith(f"/collections/{name}/items")
        assert "timeStamp" not in page, "it would be that of the response"


@meets(CORE, "fc-numberMatched")
def test_as_many_match_as_come_on_all_pages(features: Features) -> None:
    for query in ({}, {"class": "ship"}, {"bbox": middle(features)}):
        page = features.document("/collections/hotspots/items", limit=4, **query)
        matched, came = page["numberMatched"], 0
        for _ in range(COUNT):
            came += page["numberReturned"]
            following = relations(page).get("next")
            if following is None:
                break
            page = features.document(following)
        assert matched == came > 4


def middle(features: Features) -> str:
    """The middle third of all hotspots, as a bbox."""
    (box,) = features.document("/collections/hotspots")["extent"]["spatial"]["bbox"]
    west, south, east, north = box
    wide, high = (east - west) / 3, (north - south) / 3
    return f"{west + wide},{south + high},{east - wide},{north - high}"


@meets(CORE, "fc-limit-definition", "fc-bbox-definition", "fc-time-definition")
def test_parameters_are_defined_as_the_standard_has_them(features: Features) -> None:
    definition = features.document("/api")
    schemas = {
        "limit": {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100},
        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "datetime": {"type": "string"},
    }
    for name in COLLECTIONS:
        listed = definition["paths"][f"/collections/{name}/items"]["get"]["parameters"]
        for known, schema in schemas.items():
            assert {"$ref": f"#/components/parameters/{known}"} in listed
            defined = definition["components"]["parameters"][known]
            assert (defined["name"], defined["in"], defined["required"]) == (known, "query", False)
            assert (defined["style"], defined["explode"]) == ("form", False)
            assert defined["schema"] == schema


@meets(CORE, "fc-limit-response")
def test_no_more_come_than_the_limit(features: Features) -> None:
    for limit, come in ((1, 1), (7, 7), (10_000, COUNT), (10**9, COUNT)):
        assert len(features.items("hotspots", limit=limit)) == come


@meets(CORE, "fc-bbox-response")
def test_a_bbox_has_the_features_that_it_meets(features: Features) -> None:
    every = features.items("hotspots")
    box = middle(features)
    west, south, east, north = map(float, box.split(","))
    area = shapely.box(west, south, east, north)
    for bbox in (box, f"{west},{south},0,{east},{north},10"):
        assert features.items("hotspots", bbox=bbox) == [
            feature for feature in every if shape(feature["geometry"]).intersects(area)
        ]
    assert 5 < len(features.items("hotspots", bbox=box)) < COUNT / 2


@meets(CORE, "fc-time-response")
def test_any_time_has_features_without_a_time(features: Features) -> None:
    moment = "2026-11-30T12:00:00Z"
    for time in (moment, f"{moment}/{moment}", f"../{moment}", f"/{moment}", f"{moment}/.."):
        assert len(features.items("hotspots", datetime=time)) == COUNT
    assert len(features.items("hotspots", datetime=f"{moment}/", bbox=middle(features))) < COUNT


@meets(CORE, "query-param-invalid", "query-param-unknown")
def test_other_parameters_are_refused(features: Features) -> None:
    for query in ("limit=0", "limit=a", "bbox=1,2", "bbox=3,2,1,a", "datetime=1", "my-own=1"):
        assert features.get(f"/collections/hotspots/items?{query}").status_code == 400, query


@meets(CORE, "f-op", "f-success", "f-links")
def test_each_feature_lies_at_its_own_address(features: Features) -> None:
    for name in COLLECTIONS:
        for listed in features.items(name)[::8]:
            path = f"/collections/{name}/items/{listed['id']}"
            alone = features.document(path, "feature")
            leads = relations(alone, GEOJSON, HTML)
            assert leads["self"] == f"{features.root}{path}"
            assert leads["collection"] == f"{features.root}/collections/{name}"
            assert {key: alone[key] for key in listed} == listed
