"""The service as a page: for browsers, at the addresses of its documents, without another host."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from api.routes.pages import PAGE
from geogaze.ledger.store import Ledger
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.testing import TestClient
from tests.unit.ledger.suite import submit

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
HTML, JSON = "text/html; charset=utf-8", "application/json"


ASKED = [
    (CHROMIUM, "", HTML),
    ("text/html", "", HTML),
    ("application/json;q=0.5, text/html;q=0.9", "", HTML),
    ("*/*", "", JSON),
    ("application/json", "", JSON),
    ("text/html, application/json", "", JSON),
    ("text/html;q=nan, application/json;q=0.1", "", JSON),
    ("text/html;q=0", "", JSON),
    (CHROMIUM, "?f=json", JSON),
    ("*/*", "?f=html", HTML),
]


def test_browsers_get_a_page_and_programs_a_document(http: TestClient, ledger: Ledger) -> None:
    for path in ("/", f"/jobs/{submit(ledger)}"):
        for accept, query, answer in ASKED:
            got = http.get(f"{path}{query}", headers={"Accept": accept})
            assert (got.status_code, got.headers["content-type"]) == (200, answer), (accept, query)
            assert got.headers["vary"] == "Accept", "or a cache gives one for the other"


def test_other_addresses_and_methods_are_as_they_were(http: TestClient) -> None:
    asked = {"Accept": CHROMIUM}
    assert http.get("/models", headers=asked).headers["content-type"] == JSON
    assert http.delete(f"/jobs/{uuid4()}", headers=asked).status_code == 404
    assert http.put("/", headers=asked).headers["allow"] == "GET, HEAD"


def test_all_that_a_page_asks_for_is_there_and_the_services_own(http: TestClient) -> None:
    for path, root in (("/", ""), ("/jobs/nobodys", "../")):
        page = http.get(path, headers={"Accept": CHROMIUM})
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        shell, _, _ = page.text.partition('<footer id="document">')
        links = re.findall(r'(?:src|href)="([^"]*)"', shell)
        assert len(links) > 4
        for link in set(links) - {"data:,"}:
            assert link.startswith(root)
            assert http.get(f"/{link.removeprefix(root)}").status_code == 200, link
        own = re.sub(r'<script (type="module" )?src=', "", page.text)
        assert not re.search(r"<script|<style| style=| on\w+=", own)


def test_scripts_are_modules_that_find_one_another(http: TestClient) -> None:
    for path in sorted(PAGE.glob("*.js")):
        text = path.read_text()
        assert text.startswith("// "), f"{path.name} does not say what it is"
        assert len(text.splitlines()) <= 320
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        for name in re.findall(r'from "\./(.*)";$', text, re.MULTILINE):
            assert http.get(f"/page/{name}").status_code == 200, (path.name, name)
        sent = http.get(f"/page/{path.name}")
        assert sent.headers["content-type"].startswith("text/javascript")
        assert sent.headers["cache-control"] == "no-cache", "a new release shows at once"
    asked = {"If-None-Match": http.get("/page/main.js").headers["etag"]}
    assert http.get("/page/main.js", headers=asked).status_code == 304
    assert "--accent" in http.get("/page/shared/look.css").text
    for name in ("../app.py", "%2e%2e/app.py", "none.js"):
        assert http.get(f"/page/{name}").status_code == 404


def test_every_element_that_scripts_look_for_is_there() -> None:
    shell = (PAGE / "index.html").read_text()
    wanted = {
        name
        for path in PAGE.glob("*.js")
        for name in re.findall(r'\$\("([\w-]+)"\)', path.read_text())
    }
    assert len(wanted) > 30
    assert not {name for name in wanted if f'id="{name}"' not in shell}


def test_inputs_are_told_as_they_were_given(http: TestClient, scene: Path) -> None:
    asked = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0.25}
    body = {"inputs": asked, "outputs": {"heat-{class}": {}}}
    location = http.post(EXECUTION, json=body).headers["location"]
    answer = http.get(f"{location}/inputs")
    told = answer.json()
    assert asked.items() <= told.items()
    assert "outputs" not in told
    assert answer.headers["cache-control"].startswith("private")
    again = http.post("/processes/explain/quote", json={"inputs": told})
    assert again.status_code == 200, "what is told can be submitted again"
    check_problem(http.get(f"/jobs/{uuid4()}/inputs"), 404)
