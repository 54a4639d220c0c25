"""Part 3: filters by CQL2 and by properties, and what they may name."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from shapely.geometry import shape

from api.catalogue import QUERYABLES_REL
from geogaze.gis.frames import CRS84
from tests.conformance.features.conftest import COLLECTIONS, Features
from tests.conformance.features.test_features import middle
from tests.conformance.requirements import meets
from tests.unit.api.featured import COUNT, OWN

QUERYABLES, FILTER, OF_FEATURES = (
    f"features-3/{name}" for name in ("queryables", "filter", "features-filter")
)
BY_PARAMETER = "features-3/queryables-query-parameters"


@meets(QUERYABLES, "get-conformance")
def test_the_class_of_queryables_is_declared(features: Features) -> None:
    check_declared(features, QUERYABLES)


@meets(BY_PARAMETER, "get-conformance")
def test_the_class_of_parameters_is_declared(features: Features) -> None:
    check_declared(features, BY_PARAMETER)


@meets(FILTER, "get-conformance")
def test_the_class_of_filters_is_declared(features: Features) -> None:
    check_declared(features, FILTER)


@meets(OF_FEATURES, "get-conformance")
def test_the_class_of_features_filters_is_declared(features: Features) -> None:
    check_declared(features, OF_FEATURES)


def check_declared(features: Features, name: str) -> None:
    uri = f"http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/{name.partition('/')[2]}"
    assert uri in features.document("/conformance")["conformsTo"]


@meets(QUERYABLES, "get-queryables-uris")
def test_items_lead_to_what_may_be_named(features: Features) -> None:
    for name in COLLECTIONS:
        head = features.http.head(f"{features.root}/collections/{name}/items")
        assert head.links[QUERYABLES_REL]["url"] == queryables_uri(features, name)


def queryables_uri(features: Features, name: str) -> str:
    return f"{features.root}/collections/{name}/queryables"


@meets(QUERYABLES, "get-queryables")
def test_what_may_be_named_is_a_schema(features: Features) -> None:
    for name in COLLECTIONS:
        answer = features.get(queryables_uri(features, name))
        assert answer.headers["content-type"] == "application/schema+json"
        schema = answer.json()
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert (schema["$id"], schema["type"]) == (queryables_uri(features, name), "object")
        assert schema["additionalProperties"] is False
        kinds = {known: about.get("type") for known, about in schema["properties"].items()}
        assert kinds.pop("geom") is None
        assert schema["properties"]["geom"]["format"] == "geometry-polygon"
        assert set(kinds) == set(features.items(name)[0]["properties"])
        assert set(kinds.values()) == {"string", "number"}


@meets(OF_FEATURES, "get-collections", "get-collection")
def test_collections_lead_to_what_may_be_named(features: Features) -> None:
    for one in features.document("/collections", "collections")["collections"]:
        alone = features.document(f"/collections/{one['id']}")
        leads = {link["rel"]: link["href"] for link in alone["links"]}
        assert leads[QUERYABLES_REL] == queryables_uri(features, one["id"])


@meets(BY_PARAMETER, "query-param")
def test_each_property_may_be_asked_for(features: Features) -> None:
    every = features.items("hotspots")
    schema = features.document("/collections/hotspots/queryables")["properties"]
    parameters = features.document("/api")["paths"]["/collections/hotspots/items"]["get"]
    listed = {one["name"]: one["schema"] for one in parameters["parameters"] if "name" in one}
    for name, about in schema.items():
        if "type" not in about:
            continue
        assert listed[name] == about
        value = every[5]["properties"][name]
        found = features.document("/collections/hotspots/items", **{name: value})["features"]
        assert every[5] in found
        assert found == [one for one in every if one["properties"][name] == value], name
        if about["type"] == "number":
            answer = features.get("/collections/hotspots/items", **{name: "no number"})
            assert answer.status_code == 400


LANGUAGES = {
    "cql2-text": ("peak IS NULL", "peak > 1", "THIS IS NOT A FILTER"),
    "cql2-json": (
        '{"op":"isNull","args":[{"property":"peak"}]}',
        '{"op":">","args":[{"property":"peak"},1]}',
        '{"op":"is","args":[]}',
    ),
}


@meets(FILTER, "filter-param", "filter-lang-default")
def test_filters_are_applied(features: Features) -> None:
    check_filters(features)


@meets(OF_FEATURES, "filter-on-items")
def test_filters_are_applied_to_features(features: Features) -> None:
    check_filters(features)


def check_filters(features: Features) -> None:
    for language, (none, some, wrong) in LANGUAGES.items():
        ways = [{"filter-lang": language}, *([{}] if language == "cql2-text" else ())]
        for way in ways:
            path = "/collections/hotspots/items"
            assert features.document(path, filter=none, **way)["features"] == []
            found = features.document(path, filter=some, **way)["features"]
            assert [one["properties"]["peak"] > 1 for one in found] == [True] * 14
            assert features.get(path, filter=wrong, **way).status_code == 400


@meets(FILTER, "expression-construction")
def test_other_names_are_refused(features: Features) -> None:
    for name in COLLECTIONS:
        path = f"/collections/{name}/items"
        answer = features.get(path, filter="this_is_not_a_queryable IS NULL")
        assert answer.status_code == 400


@meets(FILTER, "filter-crs-wgs84")
def test_shapes_of_filters_are_in_degrees(features: Features) -> None:
    inside = features.items("hotspots", filter=f"S_INTERSECTS(geom,BBOX({middle(features)}))")
    assert inside == features.items("hotspots", bbox=middle(features))
    assert 5 < len(inside) < COUNT
    far = "S_INTERSECTS(geom,BBOX(1000000,1000000,2000000,2000000))"
    assert features.get("/collections/hotspots/items", filter=far).status_code == 400


@meets(FILTER, "filter-crs-param")
def test_or_in_the_crs_that_is_said(features: Features) -> None:
    every = features.items("hotspots")
    for uri in (CRS84, OWN):
        shapes = [shape(one["geometry"]).bounds for one in features.items("hotspots", crs=uri)]
        edges = list(zip(*shapes, strict=True))
        box = [*map(min, edges[:2]), *map(max, edges[2:])]
        asked = f"S_INTERSECTS(geom,BBOX({','.join(map(str, box))}))"
        assert features.items("hotspots", filter=asked, filter_crs=uri) == every
    unknown = "http://www.opengis.net/def/crs/OGC/0/does_not_exist"
    refused = features.get(
        "/collections/hotspots/items", **{"filter": asked, "filter-crs": unknown}
    )
    assert refused.status_code == 400


@meets(OF_FEATURES, "mixing-expression")
def test_filter_and_bbox_both_count(features: Features) -> None:
    asked = f"S_INTERSECTS(geom,BBOX({middle(features)}))"
    inside = features.items("hotspots", bbox=middle(features))
    assert features.items("hotspots", filter=asked, bbox=middle(features)) == inside
    assert features.items("hotspots", filter=asked, bbox="10,10,11,11") == []
