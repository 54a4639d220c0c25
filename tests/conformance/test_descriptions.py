"""The classes ogc-process-description, json and html: how things are described and encoded."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from tests.conformance.conftest import Service
from tests.conformance.requirements import meets
from tests.schemas.processes import check

PAGES = {
    "/": "landingPage",
    "/conformance": "confClasses",
    "/processes": "processList",
    "/processes/explain": "process",
    "/processes/echo": "process",
    "/jobs": "jobList",
}


def described(service: Service, part: str) -> dict[str, Any]:
    """Inputs or outputs of all processes."""
    found = {
        f"{process}/{name}": one
        for process in ("explain", "audit", "echo")
        for name, one in service.document(f"/processes/{process}")[part].items()
    }
    assert len(found) > 10
    return found


@meets("ogc-process-description", "json-encoding")
def test_descriptions_are_json_of_the_schema(service: Service) -> None:
    for process in ("explain", "audit", "echo"):
        check(service.document(f"/processes/{process}"), "process")


@meets("ogc-process-description", "inputs-def", "input-def")
def test_every_input_has_a_schema(service: Service) -> None:
    for name, one in described(service, "inputs").items():
        check(one, "input")
        assert one["schema"], name
        assert one["minOccurs"] in {0, 1}


@meets("ogc-process-description", "input-mixed-type")
def test_inputs_of_several_types_say_which(service: Service) -> None:
    mixed = [one["schema"] for one in described(service, "inputs").values()]
    mixed = [schema for schema in mixed if {"oneOf", "anyOf"} & set(schema)]
    assert mixed
    for schema in mixed:
        kinds = schema.get("oneOf") or schema["anyOf"]
        assert len(kinds) > 1
        assert all({"type", "allOf", "oneOf", "anyOf", "enum"} & set(kind) for kind in kinds)


@meets("ogc-process-description", "outputs-def", "output-def")
def test_every_output_has_a_schema(service: Service) -> None:
    for name, one in described(service, "outputs").items():
        check(one, "output")
        assert one["schema"]["type"], name
        assert one["schema"]["contentMediaType"], name


@meets("ogc-process-description", "output-mixed-type")
def test_no_output_has_several_types(service: Service) -> None:
    for name, one in described(service, "outputs").items():
        assert not {"oneOf", "anyOf"} & set(one["schema"]), f"{name}: say which each of them is"


@meets("json", "definition")
def test_all_that_the_standard_names_is_there_as_json(service: Service, explained: str) -> None:
    pages = {**PAGES, explained: "statusInfo", f"{explained}/results": "results"}
    for path, kind in pages.items():
        answer = service.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        check(answer.json(), kind)


@meets("html", "definition", "content")
def test_all_that_the_standard_names_is_there_as_html(service: Service, explained: str) -> None:
    for path in (*PAGES, explained, f"{explained}/results"):
        answer = service.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.text.startswith("<!doctype html>")
        page = Page(answer.text)
        for value in leaves(service.document(path)):
            assert value in page.leads or value in page.said, (path, value)


class Page(HTMLParser):
    """What a page says in its body, and where it leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said, self.leads = "", set[str]()
        self.feed(page.partition("<body>")[2])

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.leads.add(dict(attrs).get("href") or "")


def leaves(document: Any) -> list[str]:
    """All texts of a document."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict | list):
        parts = document.values() if isinstance(document, dict) else document
        return [text for part in parts for text in leaves(part)]
    return []
