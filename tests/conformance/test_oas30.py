"""The class oas30: the definition of the API says what it does, and it does what that says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance import (  # noqa: F401  whose tests say what they meet
    test_core,
    test_descriptions,
    test_execution,
    test_job_list,
    test_tiles,
)
from tests.conformance.conftest import INPUTS, Service
from tests.conformance.features import (  # noqa: F401
    test_cql2,
    test_crs,
    test_encodings,
    test_features,
    test_filters,
)
from tests.conformance.requirements import KNOWN, MET, meets
from tests.schemas.processes import check

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PROBLEM = "application/problem+json"
REFERENCE = "#/components/"


@pytest.fixture(scope="module")
def definition(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/openapi-3.0.json").json()
    return found


def operations(definition: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in definition["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


@meets("oas30", "oas-definition-1")
def test_the_landing_page_leads_to_it(service: Service) -> None:
    wanted = "application/vnd.oai.openapi+json;version=3.0"
    links = service.document("/")["links"]
    (link,) = [one for one in links if one["rel"] == "service-desc" and one["type"] == wanted]
    answer = service.get(link["href"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, wanted)


@meets("oas30", "oas-definition-2")
def test_it_is_made_as_openapi_says(definition: dict[str, Any]) -> None:
    assert definition["openapi"].startswith("3.0.")
    assert {"title", "version"} <= set(definition["info"])
    names = [operation["operationId"] for _, _, operation in operations(definition)]
    assert len(names) == len(set(names)) > 20
    for path, method, operation in operations(definition):
        assert path.startswith("/")
        assert method in METHODS
        assert operation["responses"]
        assert all(answer["description"] for answer in operation["responses"].values())
        declared = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path
        for parameter in operation.get("parameters", ()):
            assert {"name", "in"} <= set(parameter)
            assert "schema" in parameter or "content" in parameter
    for place in references(definition):
        found: Any = definition
        for step in place.removeprefix("#/").split("/"):
            found = found[step]


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        document = list(document.values())
    for part in document if isinstance(document, list) else ():
        yield from references(part)


ASKED: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/", {}, 200),
    ("GET", "/conformance", {}, 200),
    ("GET", "/processes", {}, 200),
    ("GET", "/processes", {"params": {"limit": 0}}, 400),
    ("GET", "/processes/{process}", {}, 200),
    ("GET", "/processes/{process}", {"process": "paint"}, 404),
    ("POST", "/processes/{process}/execution", {"json": {"inputs": INPUTS}}, 200),
    ("POST", "/processes/{process}/execution", {"json": {"inputs": {"pause": -1}}}, 400),
    ("POST", "/processes/{process}/execution", {"json": {"inputs": {}}, "process": "no"}, 404),
    ("GET", "/jobs", {}, 200),
    ("GET", "/jobs", {"params": {"status": "odd"}}, 400),
    ("GET", "/jobs/{job}", {}, 200),
    ("GET", "/jobs/{job}", {"job": str(uuid4())}, 404),
    ("GET", "/jobs/{job}/results", {}, 200),
    ("GET", "/jobs/{job}/results", {"job": str(uuid4())}, 404),
    ("GET", "/jobs/{job}/results/{output}", {"output": "summary"}, 200),
    ("GET", "/jobs/{job}/results/{output}", {"output": "mask"}, 404),
    ("GET", "/jobs/{job}/prov", {}, 200),
    ("DELETE", "/jobs/{job}", {"job": str(uuid4())}, 404),
]


def answered(service: Service, explained: str, case: tuple[str, str, dict[str, Any], int]) -> Any:
    """What is answered to a case, after its status was looked at."""
    method, template, options, status = case
    known = {"process": "echo", "job": explained.rpartition("/")[2], "output": "item"}
    names = {name: options.get(name, usual) for name, usual in known.items()}
    rest = {name: value for name, value in options.items() if name not in known}
    answer = service.http.request(method, template.format(**names), **rest)
    assert answer.status_code == status, (method, template, answer.text)
    return answer


def described(definition: dict[str, Any], method: str, template: str) -> dict[str, Any]:
    for path, verb, operation in operations(definition):
        plain = path.replace(":path}", "}")
        if (plain, verb) == (template, method.lower()):
            return operation
    raise AssertionError(f"{method} {template} is not defined")


@meets("oas30", "completeness")
def test_all_that_is_answered_is_defined(
    service: Service, explained: str, definition: dict[str, Any]
) -> None:
    for case in ASKED:
        answer = answered(service, explained, case)
        responses = described(definition, *case[:2])["responses"]
        content = responses[str(case[3])].get("content", {})
        kind = answer.headers["content-type"].partition(";")[0]
        assert not content or kind in content or "application/octet-stream" in content, case


@meets("oas30", "exceptions-codes")
def test_refusals_are_defined_as_the_standards_exceptions(
    service: Service, explained: str, definition: dict[str, Any]
) -> None:
    refused = [case for case in ASKED if case[3] >= 400]
    assert len(refused) > 5
    for case in refused:
        answer = answered(service, explained, case)
        check(answer.json(), "exception")
        assert answer.headers["content-type"] == PROBLEM
        response = described(definition, *case[:2])["responses"][str(case[3])]
        assert response["content"][PROBLEM]["schema"] == {"$ref": f"{REFERENCE}schemas/Problem"}


@meets("oas30", "oas-impl")
def test_all_that_is_defined_is_there(
    service: Service, explained: str, definition: dict[str, Any]
) -> None:
    names = {"process": "echo", "job": explained.rpartition("/")[2], "output": "item"}
    asked = 0
    for path, method, operation in operations(definition):
        template = path.replace(":path}", "}")
        wanted = set(re.findall(r"{(\w+)}", template))
        if method != "get" or not wanted <= set(names):
            continue
        asked += 1
        if template.endswith("/events"):
            continue  # of a job that has ended they end too, but they are no document
        needed = [one for one in operation.get("parameters", ()) if one.get("required")]
        query = {one["name"]: one["schema"]["enum"][0] for one in needed if one["in"] == "query"}
        answer = service.get(template.format(**names), params=query)
        assert str(answer.status_code) in operation["responses"], template
        # What showed a job at work is gone once it has ended, and says so.
        right = {410} if "/so-far" in template else {200, 204, 307}
        assert answer.status_code in right, (template, answer.text)
    assert asked > 12


@meets("oas30", "security")
def test_no_operation_wants_a_key_of_a_kind_that_is_not_defined(
    definition: dict[str, Any],
) -> None:
    schemes = set(definition.get("components", {}).get("securitySchemes", {}))
    for path, method, operation in operations(definition):
        wanted = {name for one in operation.get("security", ()) for name in one}
        assert wanted <= schemes, (path, method)


def test_no_abstract_test_of_a_class_that_is_claimed_is_missing() -> None:
    assert KNOWN == MET
