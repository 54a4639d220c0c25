"""The registry: versions never change, aliases move, and what is wrong leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from geogaze.errors import InvalidBundle, InvalidRequest, StorageUnavailable
from geogaze.models.bundles import WEIGHTS_FILE
from geogaze.models.checking import check
from geogaze.models.item import bundle_item
from geogaze.models.registered import Registry
from geogaze.models.versions import ModelInUse, NoSuchVersion, VersionTaken
from geogaze.storage import FolderStorage
from tests.unit.models.test_bundles import describe


class Bucket(FolderStorage):
    """Whose objects are no files here."""

    @override
    def file(self, key: str) -> None:  # type: ignore[override]
        return None


def weights_of(value: int, count: int = 4) -> bytes:
    tensor = {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}
    header = json.dumps({"a": tensor, "__metadata__": {"made": "here"}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes([value]) * count


def save(folder: Path, value: int = 1, **changes: Any) -> Path:
    """A bundle whose weights are of one value."""
    weights = weights_of(value)
    digest = hashlib.sha256(weights).hexdigest()
    folder.mkdir(parents=True)
    item = bundle_item(describe(weights=f"sha256:{digest}", **changes), {})
    item["properties"]["datetime"] = "2026-11-30T00:00:00Z"  # the same bytes each time
    (folder / "item.json").write_text(json.dumps(item))
    (folder / WEIGHTS_FILE).write_bytes(weights)
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def bundle(value: int = 1, **changes: Any) -> Path:
        made = tmp_path / "made"
        return save(made / str(len(list(made.glob("*")))), value, **changes)

    return bundle


@pytest.fixture(params=[FolderStorage, Bucket])
def storage(tmp_path: Path, request: pytest.FixtureRequest) -> FolderStorage:
    found: FolderStorage = request.param(tmp_path / "registry")
    return found


@pytest.fixture
def registry(storage: FolderStorage, tmp_path: Path) -> Registry:
    ticks = iter(range(1000, 2000))
    return Registry(storage, tmp_path / "cache", clock=lambda: float(next(ticks)))


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_versions_count_up_and_each_keeps_its_own_bytes(
    registry: Registry, make: Callable[..., Path]
) -> None:
    for value in (1, 2, 3):
        added, new = registry.add(make(value), "aerial")
        assert (added.model, new) == (f"aerial@{value}", True)
    assert [one.version for one in registry.versions("aerial")] == ["1", "2", "3"]
    for value in (1, 2, 3):
        bundle = registry.bundle(registry.version(f"aerial@{value}"))
        assert bundle.name == f"aerial@{value}"
        assert bundle.folder
        assert (bundle.folder / WEIGHTS_FILE).read_bytes() == weights_of(value)
        assert [one.file for one in check(bundle)] == [WEIGHTS_FILE]
        described = registry.description(registry.version(f"aerial@{value}"))
        assert described == bundle.model_copy(update={"folder": None})


def test_the_digest_is_that_of_sha256sum(registry: Registry, make: Callable[..., Path]) -> None:
    folder = make()
    added, _ = registry.add(folder, "aerial")
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("item.json", "model.safetensors")
    ]
    assert added.digest == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_same_bytes_are_no_second_version(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage
) -> None:
    first, _ = registry.add(make(1), "aerial")
    registry.add(make(2), "aerial")
    before = files_below(storage.root)
    assert registry.add(make(1), "aerial") == (first, False)
    assert registry.add(make(1), "aerial", "1") == (first, False)
    assert files_below(storage.root) == before
    named, new = registry.add(make(1), "aerial", "spring")
    assert (named.model, new) == ("aerial@spring", True)


def test_other_bytes_never_take_a_versions_name(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage
) -> None:
    registry.add(make(1), "aerial", "2026.1")
    before = files_below(storage.root)
    with pytest.raises(VersionTaken, match="Versions never change: name another"):
        registry.add(make(2), "aerial", "2026.1")
    assert files_below(storage.root) == before
    registry.remove(registry.version("aerial@2026.1"))
    with pytest.raises(VersionTaken, match="and was removed"):
        registry.add(make(2), "aerial", "2026.1")
    again, new = registry.add(make(1), "aerial", "2026.1")
    assert (again.model, new) == ("aerial@2026.1", True)
    assert registry.check(again)


def test_removed_numbers_are_not_given_again(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage
) -> None:
    registry.add(make(1), "aerial")
    gone, _ = registry.add(make(2), "aerial")
    registry.remove(gone)
    assert registry.version("aerial").version == "1"
    assert not [
        name for name in files_below(storage.root) if gone.digest in name and "/files/" in name
    ]
    assert registry.add(make(3), "aerial")[0].version == "3"
    with pytest.raises(NoSuchVersion, match="'2'; it has 1, 3"):
        registry.version("aerial@2")


def test_a_name_alone_is_what_was_added_last_unless_default_says_otherwise(
    registry: Registry, make: Callable[..., Path]
) -> None:
    registry.add(make(1), "aerial", "b")
    registry.add(make(2), "aerial", "a", "production")
    assert registry.version("aerial").version == "a"
    registry.point("aerial", "default", "b")
    assert registry.version("aerial").version == "b"
    assert registry.version("aerial@production").version == "a"
    registry.point("aerial", "production", "default")  # what another alias points at
    assert registry.aliases("aerial") == {"default": "b", "production": "b"}
    registry.unpoint("aerial", "default")
    assert registry.version("aerial").version == "a"
    told = registry.told("aerial")
    assert [(one["version"], one["aliases"]) for one in told["versions"]] == [
        ("b", ["production"]),
        ("a", []),
    ]


def test_what_an_alias_points_at_stays(registry: Registry, make: Callable[..., Path]) -> None:
    added, _ = registry.add(make(1), "aerial", alias="production")
    with pytest.raises(ModelInUse, match="aerial@1 is production"):
        registry.remove(added)
    assert registry.check(added)
    registry.unpoint("aerial", "production")
    registry.remove(added)
    assert registry.names() == []
    assert registry.find("aerial") is None


def test_a_version_and_an_alias_are_not_called_alike(
    registry: Registry, make: Callable[..., Path]
) -> None:
    registry.add(make(1), "aerial", "spring", "production")
    with pytest.raises(VersionTaken, match="'spring' is a version"):
        registry.point("aerial", "spring", "spring")
    with pytest.raises(VersionTaken, match="'production' is an alias"):
        registry.add(make(2), "aerial", "production")
    with pytest.raises(VersionTaken, match="'autumn' is a version"):
        registry.add(make(2), "aerial", "autumn", "autumn")
    assert [one.version for one in registry.versions("aerial")] == ["spring"]


@pytest.mark.parametrize("word", ["", "..", "a/b", "a@b", ".hidden", "a b", "ä", "a" * 65, "a\n"])
def test_words_that_name_nothing_are_refused(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage, word: str
) -> None:
    folder = make()
    for words in ((word, None, None), ("aerial", word, None), ("aerial", None, word)):
        with pytest.raises(InvalidRequest, match="is none"):
            registry.add(folder, *words)
    assert files_below(storage.root) == set()
    assert registry.find(f"aerial@{word}") is None
    assert registry.versions(word) == []
    assert registry.aliases(word) == {}
    with pytest.raises(InvalidRequest, match="alias: '3' is none"):
        registry.point("aerial", "3", "1")


def test_a_damaged_bundle_is_refused_and_leaves_nothing(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage
) -> None:
    changed = make()
    (changed / WEIGHTS_FILE).write_bytes(weights_of(9))
    with pytest.raises(InvalidBundle, match="changed or damaged"):
        registry.add(changed, "aerial")
    missing = make()
    (missing / WEIGHTS_FILE).unlink()
    with pytest.raises(InvalidBundle, match="is missing"):
        registry.add(missing, "aerial")
    assert files_below(storage.root) == set()
    assert registry.names() == []


@pytest.mark.parametrize(
    "weights",
    [b"", b"PK\x03\x04" * 20, b"\x80\x04" + bytes(60), weights_of(1)[:-1], weights_of(1) + b"x"],
    ids=["empty", "zip", "pickle", "short", "long"],
)
def test_weights_are_safetensors(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage, weights: bytes
) -> None:
    folder = make()
    item = (folder / "item.json").read_text()
    (folder / WEIGHTS_FILE).write_bytes(weights)
    was, now = (hashlib.sha256(data).hexdigest() for data in (weights_of(1), weights))
    (folder / "item.json").write_text(item.replace(was, now))
    with pytest.raises(InvalidBundle, match=r"no safetensors|cut short or damaged"):
        registry.add(folder, "aerial")
    assert files_below(storage.root) == set()


def test_what_breaks_off_leaves_nothing(
    registry: Registry,
    make: Callable[..., Path],
    storage: FolderStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put = type(storage).put

    def full(self: FolderStorage, key: str, data: bytes) -> None:
        raise StorageUnavailable("It is full.")

    monkeypatch.setattr(type(storage), "put", full)
    with pytest.raises(StorageUnavailable):
        registry.add(make(1), "aerial")
    assert files_below(storage.root) == set()
    monkeypatch.setattr(type(storage), "put", put)
    assert registry.add(make(1), "aerial")[0].version == "1"


def test_of_two_at_once_never_both_are_taken(
    registry: Registry,
    make: Callable[..., Path],
    storage: FolderStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Registry(type(storage)(storage.root), tmp_path / "other", clock=lambda: 5.0)
    put, theirs = type(storage).put, make(2)

    def between(self: FolderStorage, key: str, data: bytes) -> None:
        if self is storage and "/versions/" in key:
            other.add(theirs, "aerial")
        put(self, key, data)

    monkeypatch.setattr(type(storage), "put", between)
    with pytest.raises(VersionTaken, match="at this moment"):
        registry.add(make(1), "aerial")
    (version,) = registry.versions("aerial")
    assert registry.bundle(version).weights == f"sha256:{hashlib.sha256(weights_of(2)).hexdigest()}"


def test_damage_in_the_registry_is_found(
    registry: Registry, make: Callable[..., Path], storage: FolderStorage
) -> None:
    added, _ = registry.add(make(1), "aerial")
    assert {one.file for one in registry.check(added)} == {"item.json", WEIGHTS_FILE}
    (path,) = storage.root.rglob(WEIGHTS_FILE)
    for wrong in (weights_of(2), weights_of(1) + b"x", weights_of(1)[:-1]):
        path.write_bytes(wrong)
        with pytest.raises(InvalidBundle, match="changed or damaged"):
            registry.check(added)
    if isinstance(storage, Bucket):
        with pytest.raises(InvalidBundle, match="came with sha256"):
            registry.bundle(added)
    path.unlink()
    with pytest.raises(InvalidBundle, match="missing"):
        registry.check(added)


def test_files_of_a_bucket_are_fetched_once(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, fetched = Registry(Bucket(tmp_path / "registry"), tmp_path / "cache"), []
    get_file = Bucket.get_file

    def counted(self: Bucket, key: str, path: Path) -> None:
        fetched.append(key)
        get_file(self, key, path)

    monkeypatch.setattr(Bucket, "get_file", counted)
    added, _ = registry.add(make(1), "aerial")
    registry.description(added)
    assert fetched == []
    first = registry.bundle(added)
    assert registry.bundle(added) == first
    assert len(fetched) == 2
    assert first.folder == tmp_path / "cache" / added.digest / "aerial@1"
    (first.folder / WEIGHTS_FILE).unlink()  # a cache may be emptied
    assert check(registry.bundle(added))
