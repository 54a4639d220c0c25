"""The report: figures of the summary, in one file that needs no other and runs nothing."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.make import preview, report, summary
from geogaze.products.make.inputs import JobInputs
from tests.unit.products.test_hotspots import inputs_of, layers_of, plan, table_of

__all__ = ["plan"]


class Reader(HTMLParser):
    """Rows of the table, terms and their descriptions, and the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.told: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.told.append(data)
        if self.rows and self._open in {"td", "th", "span"} and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture
def inputs(plan: Plan, tmp_path: Path) -> JobInputs:
    job = replace(facts_of(plan), warnings=("Pixels are <twice> as large.",))
    made = inputs_of(job, table_of(plan, 2), layers_of(plan), tmp_path / "scratch")
    Image.new("RGB", (30, 20)).save(made.scratch / preview._JPEG)
    return made


def test_it_says_what_the_summary_does_and_needs_nothing_else(
    inputs: JobInputs, tmp_path: Path
) -> None:
    report.make(inputs, tmp_path / "r.html")
    summary.make(inputs, tmp_path / "s.csv")
    text = (tmp_path / "r.html").read_text()
    page = Reader(text)
    with (tmp_path / "s.csv").open() as file:
        lines = {line["layer"]: line for line in csv.DictReader(file)}
    assert {row[0] for row in page.rows[1:]} == set(lines)
    for name, tiles, probability, hotspots, *_ in page.rows[1:]:
        line = lines[name]
        assert hotspots == line["hotspots"]
        assert tiles == (line["tiles"] or "–")
        if line["highest_probability"]:
            assert float(probability) == pytest.approx(float(line["highest_probability"]), abs=0.01)
    assert "Pixels are <twice> as large." in page.told  # escaped: it is text, and no tag
    assert not {"script", "link", "iframe", "object", "twice"} & {tag for tag, _ in page.tags}
    (picture,) = (found for tag, found in page.tags if tag == "img")
    assert picture["src"].startswith("data:image/jpeg;base64,")
    assert picture["alt"]
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)\w""", text)


@pytest.mark.parametrize(
    ("threshold", "says"),
    [(0.25, "at least 0.25"), ("otsu", "Otsu"), ("q0.99", "quantile 0.99")],
)
def test_it_says_how_hot_is_hot(
    inputs: JobInputs, tmp_path: Path, threshold: float | str, says: str
) -> None:
    job = replace(inputs.job, threshold=threshold)
    report.make(replace(inputs, job=job), tmp_path / "r.html")
    assert says in (tmp_path / "r.html").read_text()
