"""``geogaze catalog``: a folder of results as a STAC catalogue that opens wherever it goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pystac
import pytest

from tests.schemas.validation import validate
from tests.unit.api.catalogued import SQUARE, WHEN
from tests.unit.cli.conftest import Geogaze


def result(folder: Path, title: str = "Where tiny looks") -> Path:
    """A folder as a run leaves it, as far as a catalogue looks."""
    folder.mkdir(parents=True)
    item = pystac.Item(
        id=f"id-of-{folder.name}",
        geometry={"type": "Polygon", "coordinates": SQUARE},
        bbox=[2.0, 48.0, 2.2, 48.2],
        datetime=WHEN,
        properties={"title": title, "geogaze:model": "tiny"},
    )
    item.add_asset("heat-boat", pystac.Asset("./heat-boat.tif", media_type=pystac.MediaType.COG))
    (folder / "heat-boat.tif").write_bytes(b"II*")
    (folder / "item.json").write_text(json.dumps(item.to_dict(include_self_link=False)))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two results, one deeper than the other, and what is none."""
    found = tmp_path / "harbours & more"
    result(found / "june")
    result(found / "2025" / "may, first")
    result(found / ".draft")
    (found / "bundle").mkdir()
    (found / "bundle" / "item.json").write_text(
        '{"properties": {"mlm:name": "tiny"}, "assets": {"model": {"href": "./model.safetensors"}}}'
    )
    return found


def test_it_opens_wherever_the_folder_went(geogaze: Geogaze, folder: Path, tmp_path: Path) -> None:
    before = (folder / "june" / "item.json").read_bytes()
    done = geogaze("catalog", folder, "--title", "Harbours")
    assert done.code == 0, done.err
    assert "2 results" in done.out
    assert (folder / "june" / "item.json").read_bytes() == before
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    document = json.loads((moved / "catalog.json").read_text())
    validate(document)
    assert all(link["href"].startswith("./") for link in document["links"])
    assert (document["id"], document["title"]) == ("harbours & more", "Harbours")
    titles = [link["title"] for link in document["links"] if link["rel"] == "item"]
    assert titles == ["Where tiny looks: 2025/may, first", "Where tiny looks: june"]
    catalog = pystac.Catalog.from_file(str(moved / "catalog.json"))
    items = list(catalog.get_items())
    assert [item.id for item in items] == ["id-of-may, first", "id-of-june"]
    for item in items:
        validate(item.to_dict())
        assert Path(item.assets["heat-boat"].get_absolute_href() or "").read_bytes() == b"II*"


def test_it_is_not_replaced_unasked(geogaze: Geogaze, folder: Path) -> None:
    assert geogaze("catalog", folder).code == 0
    result(folder / "july")
    refused = geogaze("catalog", folder)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    done = geogaze("catalog", folder, "--overwrite", "--json")
    assert done.last == {"file": str(folder / "catalog.json"), "items": 3, "warnings": []}


def test_what_cannot_be_read_is_named(geogaze: Geogaze, folder: Path) -> None:
    for name, text in (("broken", "{"), ("list", "[]"), ("empty", "{}")):
        (folder / name).mkdir()
        (folder / name / "item.json").write_text(text)
    done = geogaze("catalog", folder, "--json")
    assert (done.code, done.last["items"]) == (0, 2)
    assert {
        Path(fault.split(" cannot be read")[0]).parent.name for fault in done.last["warnings"]
    } == {
        *("broken", "list", "empty"),
    }


def test_a_folder_without_results_is_refused(geogaze: Geogaze, tmp_path: Path) -> None:
    for name, said in (("nowhere", "no folder"), (".", "no results")):
        done = geogaze("catalog", tmp_path / name)
        assert done.code == 2
        assert said in done.err
        assert not list(tmp_path.rglob("catalog.json"))
