"""A product more: one file that makes it, one line in the table of products."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pystac
import pytest

from api.descriptions import description
from geogaze.cli import local
from geogaze.config import Settings
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.table import find_process
from geogaze.products.asking import check_products, needs_overlays
from geogaze.products.make.inputs import JobInputs
from geogaze.products.product import Product
from geogaze.products.stac import About
from geogaze.products.table import (
    PRODUCTS,
    product_named,
)
from geogaze.runner.embedded import run
from geogaze.runner.phases import load_phases
from tests.schemas.validation import validate


def make(inputs: JobInputs, target: Path) -> None:
    """How often and how surely each layer is the best class, as CSV."""
    with target.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("layer", "best_of_tiles", "highest_probability"))
        rows.writerows((name, s.won, s.highest) for name, s in inputs.standing.items())


def describe(asset: pystac.Asset, about: About) -> None:
    """How many lines it has."""
    asset.extra_fields["table:row_count"] = len(about.standing)


RANKING = Product(
    name="ranking",
    file="ranking.csv",
    title="Layers of {method} in numbers",
    offer="Layers in numbers, CSV",
    hint="how often each layer is the best class, for a spreadsheet",
    media_type="text/csv",
    roles=("data",),
    phase="publish",
    make="geogaze.products.make.ranking:make",
    describe="geogaze.products.make.ranking:describe",
)


@pytest.fixture
def _with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    *others, item = PRODUCTS  # the Item describes what was made before it
    monkeypatch.setattr("geogaze.products.table.PRODUCTS", (*others, RANKING, item))


@pytest.fixture
def _with_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ModuleType("geogaze.products.make.ranking")
    file.make, file.describe = make, describe
    monkeypatch.setitem(sys.modules, "geogaze.products.make.ranking", file)


@pytest.mark.usefixtures("_with_a_line", "_with_a_file")
def test_a_product_of_the_table_is_made_described_and_told_of(
    scene: Path, bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_phases()
    request = ExplainRequest(scene=str(scene), model=str(bundle_folder), overlays=False)
    report = run(request, tmp_path / "out", Settings(device="cpu", torch_threads=1))
    lines = (tmp_path / "out" / "ranking.csv").read_text().splitlines()
    assert lines[0] == "layer,best_of_tiles,highest_probability"
    assert [line.split(",")[0] for line in lines[1:]] == list(report.plan.layers)
    assert list(report.assets)[-2:] == ["ranking", "item"]

    item = json.loads((tmp_path / "out" / "item.json").read_text())
    asset = item["assets"]["ranking"]
    assert asset["href"] == "./ranking.csv"
    assert asset["title"] == "Layers of Grad-CAM in numbers"
    assert (asset["type"], asset["roles"]) == ("text/csv", ["data"])
    assert asset["table:row_count"] == 3
    assert asset["file:size"] == (tmp_path / "out" / "ranking.csv").stat().st_size
    validate(item)

    local._show_outcome(report.plan, report.assets, tmp_path / "out")
    assert "how often each layer is the best class" in capsys.readouterr().out
    outputs = description(find_process("explain"), "http://host")["outputs"]
    assert outputs["ranking"]["schema"]["contentMediaType"] == "text/csv"


@pytest.mark.usefixtures("_with_a_line")
def test_a_forgotten_file_fails_before_there_is_any_work() -> None:
    with pytest.raises(LookupError, match=r"geogaze\.products\.make\.ranking"):
        load_phases()


@pytest.mark.parametrize(
    ("forgotten", "says"),
    [
        ({"roles": ()}, "roles"),
        ({"title": ""}, "title"),
        ({"media_type": ""}, "media_type"),
        ({"file": "ranking-{class}.csv"}, "or in none"),
        ({"phase": "assemble"}, "are made in assemble,"),
    ],
)
def test_a_forgotten_part_of_a_line_fails_where_the_line_is(
    forgotten: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=f"'ranking'.*{says}"):
        replace(RANKING, **forgotten)


@pytest.mark.usefixtures("_with_a_file")
def test_a_phase_that_no_process_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = replace(RANKING, phase="afterwards")
    monkeypatch.setattr("geogaze.products.table.PRODUCTS", (*PRODUCTS, stray))
    with pytest.raises(LookupError, match=r"'afterwards'; there are assemble, publish"):
        check_products(["publish", "assemble"])


def test_every_line_leads_to_a_maker_and_every_name_to_its_line() -> None:
    check_products({product.phase for product in PRODUCTS})
    for product in PRODUCTS:
        layer = "ship vs harbor" if product.of_layer else ""
        assert product_named(product.named(layer)) == (product, layer)
    with pytest.raises(LookupError, match="No product is called 'nothing'"):
        product_named("nothing")


def test_the_guide_names_every_product() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide.md").read_text()
    for product in PRODUCTS:
        assert f"`{product.file.replace('{class}', '<class>')}`" in guide, (
            f"name {product.file} there"
        )


def test_what_overlays_are_needed_for_is_what_is_made_with_them_alone() -> None:
    assert needs_overlays("overlay-boat")
    assert needs_overlays("overlay-{class}")
    for name in ("heat-boat", "tiles", "classes", "nothing"):
        assert not needs_overlays(name)
