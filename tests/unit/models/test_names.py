"""What a model's name means, with folders and a registry, and what is told of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typing_extensions import override

from geogaze.config import Settings
from geogaze.errors import StorageUnavailable, UnknownModel
from geogaze.models.bundles import EVALUATION_FILE, WEIGHTS_FILE
from geogaze.models.registered import Registry
from geogaze.models.registry import find_model, is_taken
from geogaze.storage import FolderStorage
from tests.unit.models.test_registered import Bucket, save, weights_of


def test_registered_models_are_found_by_name_after_all_others(tmp_path: Path) -> None:
    loose = save(tmp_path / "loose" / "tiny", 7)
    settings = Settings(
        model_folders=(loose.parent,),
        model_registry=str(tmp_path / "registry"),
        cache_folder=tmp_path / "cache",
    )
    registry = Registry.of(settings)
    registry.add(save(tmp_path / "1", 1), "aerial", alias="production")
    registry.add(save(tmp_path / "2", 2), "aerial")
    registry.add(save(tmp_path / "3", 3), "tiny")
    for asked, found in (
        ("aerial", "aerial@2"),
        ("aerial@1", "aerial@1"),
        ("aerial@production", "aerial@1"),
        ("tiny", "tiny"),
        ("tiny@1", "tiny@1"),
        ("vgg16", "vgg16"),
    ):
        assert find_model(asked, settings).name == found
        assert find_model(asked, settings, whole=False).name == found
    assert find_model("tiny", settings).folder == loose.resolve()
    assert [is_taken(name, settings) for name in ("tiny", "vgg16", "aerial-scenes", "new")] == [
        *(True, True, True),
        False,
    ]
    with pytest.raises(UnknownModel, match="Registered are: aerial, tiny"):
        find_model("nothing", settings)
    with pytest.raises(UnknownModel, match="no version or alias '9'; it has 1, 2, production"):
        find_model("aerial@9", settings)
    for stranger in ("../registry/aerial", "aerial@", "@1", "aerial@1@2", "aerial@../1"):
        with pytest.raises(UnknownModel):
            find_model(stranger, settings)


class Picky(Bucket):
    """Refuses ranges that begin where an object ends, as S3 does."""

    @override
    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        if start and start >= self.size(key):
            raise StorageUnavailable("The requested range is not satisfiable.")
        return super().get(key, start, stop)


def test_objects_are_checked_whole_whatever_their_size(tmp_path: Path) -> None:
    registry = Registry(Picky(tmp_path / "registry"), tmp_path / "cache")
    for number, size in enumerate((4 * 2**20, 8 * 2**20, 8 * 2**20 + 1)):
        folder = save(tmp_path / str(number))
        (folder / EVALUATION_FILE).write_bytes(b"{}".ljust(size))
        added, _ = registry.add(folder, "aerial")
        assert [one.bytes for one in registry.check(added) if one.file == EVALUATION_FILE] == [size]


def test_an_evaluation_goes_along(tmp_path: Path) -> None:
    folder = save(tmp_path / "made")
    registry = Registry(FolderStorage(tmp_path / "registry"), tmp_path / "cache")
    said = {"accuracy": 0.9, "images": {"test": 10}, "calibration": {"ece": 0.02}}
    (folder / EVALUATION_FILE).write_text(json.dumps(said))
    (folder / "notes.pkl").write_bytes(b"\x80\x04")
    added, _ = registry.add(folder, "aerial")
    assert added.metrics == {"test_accuracy": 0.9, "test_images": 10, "ece": 0.02}
    assert set(added.files) == {"item.json", WEIGHTS_FILE, EVALUATION_FILE}
    one = registry.told("aerial")["versions"][0]
    assert (one["metrics"], one["classes"]) == (added.metrics, ["airplane", "runway"])
    assert (one["sha256"], one["bytes"]) == (
        hashlib.sha256(weights_of(1)).hexdigest(),
        len(weights_of(1)),
    )
