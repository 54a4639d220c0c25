"""Nothing of a user's is replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geogaze.errors import InvalidRequest
from geogaze.outputs import Kind, check_file, check_folder, former_products


def results(folder: Path) -> Path:
    folder.mkdir()
    item = {
        "properties": {"geogaze:model": "tiny"},
        "assets": {"heat-boat": {"href": "./heat-boat.tif"}, "evil": {"href": "../precious"}},
    }
    (folder / "item.json").write_text(json.dumps(item))
    (folder / "heat-boat.tif").write_text("hours of work")
    return folder


def bundle(folder: Path) -> Path:
    folder.mkdir()
    item = {"properties": {"mlm:name": "tiny"}, "assets": {"model": {}}}
    (folder / "item.json").write_text(json.dumps(item))
    (folder / "model.safetensors").write_text("hours of work")
    return folder


def strangers(folder: Path) -> Path:
    folder.mkdir()
    (folder / "item.json").write_text("[1]")
    return folder


def used_bundle(folder: Path) -> Path:
    bundle(folder)
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize(
    ("make", "kind", "with_overwrite"),
    [
        (results, Kind.RESULTS, True),
        (results, Kind.BUNDLE, False),
        (bundle, Kind.RESULTS, False),
        (bundle, Kind.BUNDLE, True),
        (strangers, Kind.RESULTS, True),
        (strangers, Kind.BUNDLE, False),
        (used_bundle, Kind.BUNDLE, False),
    ],
)
def test_a_folder_in_use_is_refused_or_replaced_by_its_like(
    tmp_path: Path, make, kind: Kind, with_overwrite: bool
) -> None:
    folder = make(tmp_path / "used")
    with pytest.raises(InvalidRequest, match="used") as refusal:
        check_folder(folder, kind, overwrite=False)
    assert ("--overwrite" in str(refusal.value)) == with_overwrite
    if with_overwrite:
        check_folder(folder, kind, overwrite=True)
        return
    with pytest.raises(InvalidRequest, match="used"):
        check_folder(folder, kind, overwrite=True)


@pytest.mark.parametrize("kind", Kind)
def test_new_and_empty_folders_are_free_and_files_are_none(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / ".geogaze-x").mkdir()  # of a run that was interrupted
    check_folder(tmp_path, kind, overwrite=False)
    check_folder(tmp_path / "new" / "deep", kind, overwrite=False)
    (tmp_path / "file").write_text("mine")
    for taken in ("file", "file/below"):
        with pytest.raises(InvalidRequest, match="file"):
            check_folder(tmp_path / taken, kind, overwrite=True)


def test_former_products_are_those_an_item_names_in_its_own_folder(tmp_path: Path) -> None:
    folder = results(tmp_path / "used")
    assert former_products(folder) == {folder / "item.json", folder / "heat-boat.tif"}
    for make in (bundle, strangers):
        assert former_products(make(tmp_path / make.__name__)) == set()
    assert former_products(tmp_path / "none") == set()


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    check_file(tmp_path / "new.png", overwrite=False)
    (tmp_path / "old.png").write_text("mine")
    check_file(tmp_path / "old.png", overwrite=True)
    with pytest.raises(InvalidRequest, match="--overwrite"):
        check_file(tmp_path / "old.png", overwrite=False)
