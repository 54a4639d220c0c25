"""Documents as pages: whoever prefers HTML gets all that a document says, and its links."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from geogaze.ledger.store import Ledger
from tests.unit.api.testing import TestClient
from tests.unit.ledger.suite import submit

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Read(HTMLParser):
    """What a page says, where it leads, and what it loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said, self.leads, self.loads = "", set[str](), set[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.leads.add(given.get("href") or "")
        for name in ("src", "href") if tag != "a" else ():
            if given.get(name):
                self.loads.add(given[name] or "")


def values_of(document: Any) -> Iterator[Any]:
    if isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from values_of(part)
    else:
        yield document


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/conformance", "/processes", "/processes/explain", "/processes/echo"),
        *("/jobs", "/jobs/{job}", "/jobs/{job}/inputs"),
    ],
)
def test_a_page_says_all_that_its_document_says(
    http: TestClient, ledger: Ledger, path: str
) -> None:
    path = path.format(job=submit(ledger))
    plain = http.get(path)
    assert (plain.headers["content-type"], plain.headers["vary"]) == ("application/json", "Accept")
    answer = http.get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    page = Read(answer.text)
    values = list(values_of(plain.json()))
    assert values
    for value in values:
        told = str(value) if isinstance(value, str) else str(value).lower().replace("none", "null")
        assert told in page.said or value in page.leads, value
    assert {value for value in values if str(value).startswith("http")} <= page.leads
    assert page.loads
    for address in page.loads - {"data:,"}:
        assert "://" not in address, "no other host is asked"
        assert http.get(str(answer.url.join(address))).status_code == 200, address
    assert http.get(f"{path}?f=html").headers["content-type"] == answer.headers["content-type"]
    asked = http.get(f"{path}?f=json", headers=BROWSER)
    assert asked.headers["content-type"] == "application/json"


def test_what_a_document_quotes_is_no_markup(http: TestClient) -> None:
    evil = "<script>alert(1)</script>"
    body = {"inputs": {"string": evil, "array": [f"https://x/'\"><img src=x>{evil}"]}}
    later = {"Prefer": "respond-async"}
    job = http.post("/processes/echo/execution", json=body, headers=later).json()["jobID"]
    page = http.get(f"/jobs/{job}/inputs", headers=BROWSER)
    assert evil in Read(page.text).said
    assert "<script>alert" not in page.text
    assert "<img" not in page.text


def test_refusals_stay_problems(http: TestClient) -> None:
    answer = http.get("/processes/paint", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (
        *(404, "application/problem+json"),
    )
