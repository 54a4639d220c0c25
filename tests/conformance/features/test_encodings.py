"""Part 1, classes geojson, html and oas30: how documents are written, and the API defined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft4Validator

from tests.conformance.features.conftest import Features
from tests.conformance.requirements import meets
from tests.schemas.features import DEFINITIONS
from tests.unit.api.test_written import BROWSER, Read, values_of

GEOJSON, HTML, JSON, PROBLEM = (
    *("application/geo+json", "text/html", "application/json", "application/problem+json"),
)


@pytest.fixture(scope="module")
def definition(features: Features) -> dict[str, Any]:
    found: dict[str, Any] = features.document("/api")
    return found


def paths(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every path that may be asked with GET, filled in."""
    for template, methods in definition["paths"].items():
        yield template.replace("{feature}", "2"), methods["get"]


@meets("features-1/geojson", "definition", "content")
def test_features_are_geojson_and_the_rest_json(
    features: Features, definition: dict[str, Any]
) -> None:
    for path, _ in paths(definition):
        answer = features.http.get(f"{features.root}{path}", headers={"Accept": GEOJSON})
        assert answer.status_code == 200
        kind = answer.headers["content-type"]
        if "/items" in path:
            assert kind == GEOJSON
            known = "feature" if path.endswith("/2") else "featureCollection"
            schema = {"$ref": f"#/definitions/{known}", "definitions": DEFINITIONS}
            Draft4Validator(schema).validate(answer.json())
        else:
            named = ("application/schema+json", "application/vnd.oai.openapi+json;version=3.0")
            assert kind == JSON or kind in named


@meets("features-1/html", "definition", "content")
def test_every_document_is_a_page_too(features: Features, definition: dict[str, Any]) -> None:
    for path, _ in paths(definition):
        plain = features.get(path).json()
        answer = features.http.get(f"{features.root}{path}", headers=BROWSER)
        assert (answer.status_code, answer.headers["content-type"]) == (
            *(200, f"{HTML}; charset=utf-8"),
        )
        assert answer.text.startswith("<!doctype html>")
        page = Read(answer.text)
        for value in values_of(plain):
            told = value if isinstance(value, str) else str(value).lower().replace("none", "null")
            assert told in page.said or value in page.leads, (path, value)


@meets("features-1/oas30", "oas-definition-1", "oas-definition-2")
def test_the_definition_is_openapi(features: Features, definition: dict[str, Any]) -> None:
    wanted = "application/vnd.oai.openapi+json;version=3.0"
    (link,) = [one for one in features.document("")["links"] if one["rel"] == "service-desc"]
    assert link["type"] == wanted
    assert features.get(link["href"]).headers["content-type"] == wanted
    assert {"title", "version"} <= set(definition["info"])
    names = [operation["operationId"] for _, operation in paths(definition)]
    assert len(names) == len(set(names)) == 12
    for template, methods in definition["paths"].items():
        for operation in methods.values():
            assert all(answer["description"] for answer in operation["responses"].values())
            known = [resolved(definition, one) for one in operation["parameters"]]
            declared = {one["name"] for one in known if one["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", template))
            assert all("schema" in one for one in known)


def resolved(definition: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    for step in one.get("$ref", "").removeprefix("#/").split("/") if "$ref" in one else ():
        definition = definition[step]
        one = definition
    return one


@meets("features-1/oas30", "completeness", "exceptions-codes")
def test_all_that_is_answered_is_defined(features: Features, definition: dict[str, Any]) -> None:
    schema = {"$ref": "#/definitions/exception", "definitions": DEFINITIONS}
    for path, operation in paths(definition):
        answer = features.get(path)
        content = operation["responses"]["200"]["content"]
        assert answer.headers["content-type"] in content, path
        for refused in (features.get(f"{path}?odd=1"), features.get(f"{path}/nowhere")):
            Draft4Validator(schema).validate(refused.json())
            said = operation["responses"][str(refused.status_code)]["content"]
            assert said == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            assert refused.headers["content-type"] == PROBLEM


@meets("features-1/oas30", "oas-impl", "security")
def test_all_that_is_defined_is_there(features: Features, definition: dict[str, Any]) -> None:
    schemes = set(definition["components"].get("securitySchemes", {}))
    for path, operation in paths(definition):
        assert features.get(path).status_code == 200, path
        assert {name for one in operation.get("security", ()) for name in one} <= schemes
