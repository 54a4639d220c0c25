"""Descriptions of models: what is refused, what is found, what is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pystac
import pytest
import structlog
from pydantic import ValidationError

from geogaze.errors import InvalidBundle, UnknownModel
from geogaze.files import file_sha256, file_stem
from geogaze.models.bundles import Bundle
from geogaze.models.item import bundle_item, read_bundle
from geogaze.models.registry import SHIPPED, find_bundle, list_bundles, torchvision_catalogue
from tests.schemas.validation import validate


def describe(**changes: Any) -> Bundle:
    values: dict[str, Any] = {
        "name": "tiny",
        "architecture": "resnet18",
        "classes": ("airplane", "runway"),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.2, 0.1),
        "input_size": 224,
        "gsd": 0.5,
        "layer": "layer4",
        "stride": 32,
        "first_center": 0.0,
        "cells": 7,
        "weights": "sha256:" + "0" * 64,
    }
    return Bundle(**(values | changes))


def save(bundle: Bundle, folder: Path, **extra: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "item.json").write_text(json.dumps(bundle_item(bundle, extra)))
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ("all", "runway")}, "reserved"),
        ({"classes": ("runway", "top")}, "reserved"),
        ({"classes": ("runway", "apron", "runway")}, "repeat: 2 of them are 'runway'"),
        (
            {"classes": ("a", "parking lot", "parking/lot")},
            "'parking lot', 'parking/lot' are too alike",
        ),
        ({"classes": ("Runway", "runway")}, "too alike"),  # one file where case does not count
        ({"classes": ()}, "at least 1"),
        ({"mean": (0.5,)}, "differ in length"),
        ({"stride": 0}, "greater than 0"),
        ({"gsd": -0.5}, "greater than 0"),
    ],
)
def test_descriptions_that_cannot_be_used_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        describe(**changes)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("airplane", "airplane"),
        ("parking lot", "parking-lot"),
        ("../../etc/passwd", "etc-passwd"),
        ("straße.v2", "straße.v2"),
        ("///", "-"),
    ],
)
def test_file_stems_stay_in_their_folder(name: str, stem: str) -> None:
    assert file_stem(name) == stem
    assert "/" not in file_stem(name)


def test_a_written_description_reads_back_equal(tmp_path: Path) -> None:
    folder = save(describe(), tmp_path / "tiny")
    assert read_bundle(folder) == describe(folder=folder.resolve())


def test_a_description_without_gsd_reads_back_equal(tmp_path: Path) -> None:
    folder = save(describe(gsd=None), tmp_path / "tiny")
    assert read_bundle(folder).gsd is None


def test_a_renamed_folder_renames_the_model(tmp_path: Path) -> None:
    assert read_bundle(save(describe(), tmp_path / "other")).name == "other"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"properties": {}}', '{"properties": {"mlm:input": []}}', "null"],
)
def test_an_item_that_is_no_bundle_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "item.json").write_text(text)
    with pytest.raises(InvalidBundle, match=r"item\.json"):
        read_bundle(tmp_path)


def test_an_item_with_a_field_missing_is_refused(tmp_path: Path) -> None:
    item = bundle_item(describe(), {})
    del item["properties"]["geogaze:stride"]
    (tmp_path / "item.json").write_text(json.dumps(item))
    with pytest.raises(InvalidBundle, match="geogaze:stride"):
        read_bundle(tmp_path)


def test_the_operators_bundles_come_before_the_shipped_one_and_torchvision(tmp_path: Path) -> None:
    save(describe(), tmp_path / "first" / "vgg16")
    save(describe(gsd=9.0), tmp_path / "second" / "vgg16")
    save(describe(), tmp_path / "second" / "aerial-scenes")
    folders = (tmp_path / "first", tmp_path / "second")
    assert find_bundle("vgg16", folders).folder == tmp_path / "first" / "vgg16"
    assert find_bundle("vgg16", folders[::-1]).gsd == 9.0
    assert find_bundle("aerial-scenes", folders).architecture == "resnet18"
    assert find_bundle("aerial-scenes").folder == SHIPPED / "aerial-scenes"
    assert find_bundle("vgg16").folder is None


def test_the_list_shows_what_finding_finds(tmp_path: Path) -> None:
    """Where two folders hold one name, the list and the look-up must agree."""
    save(describe(gsd=1.0), tmp_path / "first" / "twice")
    save(describe(gsd=2.0), tmp_path / "second" / "twice")
    save(describe(gsd=3.0), tmp_path / "first" / "aerial-scenes")
    folders = (tmp_path / "first", tmp_path / "second")
    listed = {bundle.name: bundle for bundle in list_bundles(folders)}
    assert sorted(listed) == ["aerial-scenes", "twice"]
    assert listed["aerial-scenes"] == find_bundle("aerial-scenes", folders)
    assert listed["twice"] == find_bundle("twice", folders)


def test_a_path_is_no_name_unless_the_user_is_the_operator(tmp_path: Path) -> None:
    outside = save(describe(), tmp_path / "outside")
    folder = tmp_path / "models"
    folder.mkdir()
    for around in (tmp_path, folder):  # a bundle's folder may be among its own
        (around / "item.json").write_text((outside / "item.json").read_text())
    names = ["../outside", str(outside), "./../outside", "..", ".", "", "models/../../outside"]
    for name in [*names, "a" * 300, "a\0b", "*", "outside\udc80"]:
        with pytest.raises(UnknownModel):
            find_bundle(name, [folder])
    assert find_bundle(str(outside), allow_path=True).folder == outside


def test_a_relative_path_finds_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(describe(), tmp_path / "outside")
    monkeypatch.chdir(tmp_path)
    bundle = find_bundle("./outside", allow_path=True)
    assert bundle.folder == tmp_path / "outside"
    assert bundle.name == "outside"


def test_an_unknown_model_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    save(describe(), tmp_path / "mine")
    with pytest.raises(UnknownModel, match=r"'nothing'.*aerial-scenes, mine"):
        find_bundle("nothing", [tmp_path])


def test_a_broken_bundle_hides_no_other(tmp_path: Path) -> None:
    save(describe(), tmp_path / "mine")
    save(describe(), tmp_path / "zebra")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "item.json").write_text("{")
    with structlog.testing.capture_logs() as logs:
        names = [bundle.name for bundle in list_bundles([tmp_path])]
    assert names == ["aerial-scenes", "mine", "zebra"]
    assert [(e["event"], e["folder"]) for e in logs] == [
        ("bundle left out", str(tmp_path / "broken"))
    ]
    with pytest.raises(UnknownModel, match=r"'other'.*mine, zebra"):
        find_bundle("other", [tmp_path])


def test_a_broken_bundle_does_not_hide_behind_a_published_model(tmp_path: Path) -> None:
    (tmp_path / "vgg16").mkdir()
    (tmp_path / "vgg16" / "item.json").write_text("{}")
    with pytest.raises(InvalidBundle):
        find_bundle("vgg16", [tmp_path])


def test_the_catalogue_describes_the_published_imagenet_models() -> None:
    catalogue = torchvision_catalogue()
    assert {"vgg16", "resnet50", "mobilenet_v2", "squeezenet1_0", "densenet121"} <= set(catalogue)
    for bundle in catalogue.values():
        assert len(bundle.classes) == 1000
        assert bundle.weights.startswith("torchvision:")
        # What does not divide the tile is stretched over it; never by more than a cell.
        assert 0 <= bundle.input_size - bundle.cells * bundle.stride < 2 * bundle.stride or (
            bundle.cells * bundle.stride - bundle.input_size < bundle.stride
        )
        # The first activation looks at the image.
        assert 0 <= bundle.first_center < 2 * bundle.stride


def test_the_shipped_bundle_has_the_weights_it_describes() -> None:
    bundle = find_bundle("aerial-scenes")
    assert bundle.weights == f"sha256:{file_sha256(SHIPPED / 'aerial-scenes/model.safetensors')}"
    assert "airplane" in bundle.classes


@pytest.mark.parametrize("name", ["tiny", "aerial-scenes"])
def test_written_items_are_valid_stac_with_mlm(name: str) -> None:
    item = json.loads(json.dumps(bundle_item(describe(name=name), {"geogaze:accuracy": 0.9})))
    checked = validate(item)
    assert any("mlm" in uri for uri in checked)


def test_the_shipped_item_is_valid_stac_with_mlm() -> None:
    validate(json.loads((SHIPPED / "aerial-scenes" / "item.json").read_text()))


def test_validation_notices_a_broken_mlm_field() -> None:
    item = bundle_item(describe(), {})
    item["properties"]["mlm:tasks"] = ["guessing"]
    with pytest.raises(pystac.STACValidationError):
        validate(item)


def test_a_copied_bundle_folder_is_the_same_model(bundle_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle_folder, tmp_path / "tiny"))
    changes = {"folder": bundle_folder}
    assert read_bundle(copy).model_copy(update=changes) == read_bundle(bundle_folder)
