"""What storage promises. ``StorageContract`` runs here on a folder, in integration on S3."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from geogaze.errors import ObjectNotFound, Retry, StorageUnavailable
from geogaze.storage import FolderStorage, Storage
from geogaze.storage.reading import open_object

TEN = b"0123456789"


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class StorageContract:
    """Subclasses give the fixture ``storage``, empty at the start of each test."""

    def test_what_answers_is_found_to(self, storage: Storage) -> None:
        storage.check()

    def test_bytes_come_back(self, storage: Storage) -> None:
        storage.put("jobs/1/explain/0/1/tiles.npz", TEN)
        assert storage.get("jobs/1/explain/0/1/tiles.npz") == TEN
        storage.put("jobs/1/explain/0/1/tiles.npz", b"")
        assert storage.get("jobs/1/explain/0/1/tiles.npz") == b""

    def test_ranges_are_those_of_slices(self, storage: Storage) -> None:
        storage.put("a", TEN)
        for start, stop in ((0, 3), (3, 7), (4, None), (9, 10), (7, 99)):
            assert storage.get("a", start, stop) == TEN[start:stop], (start, stop)

    def test_sizes_are_told(self, storage: Storage) -> None:
        storage.put("a", TEN)
        storage.put("b", b"")
        assert (storage.size("a"), storage.size("b")) == (10, 0)
        with pytest.raises(ObjectNotFound) as missing:
            storage.size("c")
        assert missing.value.key == "c"

    def test_an_object_is_read_as_a_file_is(self, storage: Storage) -> None:
        storage.put("a", TEN)
        with open_object(storage, "a") as file:
            assert (file.read(3), file.seek(-2, 2), file.read()) == (TEN[:3], 8, TEN[8:])
            assert (file.seek(1), file.read(4), file.tell()) == (1, TEN[1:5], 5)
            assert (file.seek(99), file.read()) == (99, b"")

    def test_an_empty_range_is_empty(self, storage: Storage) -> None:
        storage.put("a", TEN)
        assert storage.get("a", 5, 5) == b""

    def test_files_come_back(self, storage: Storage, tmp_path: Path) -> None:
        source, target = tmp_path / "in.tif", tmp_path / "out.tif"
        source.write_bytes(TEN)
        storage.take_file("jobs/1/heat.tif", source, "image/tiff")
        assert storage.get("jobs/1/heat.tif") == TEN
        assert not source.exists()
        storage.get_file("jobs/1/heat.tif", target)
        assert target.read_bytes() == TEN

    def test_keys_and_delete_go_by_prefix(self, storage: Storage) -> None:
        assert list(storage.keys("jobs/")) == []
        keys = ["jobs/1/a/x", "jobs/1/b", "jobs/10/a", "other"]
        for key in keys:
            storage.put(key, b"x")
        assert sorted(storage.keys("")) == keys
        assert sorted(storage.keys("jobs/")) == keys[:3]
        assert sorted(storage.keys("jobs/1/")) == keys[:2]
        assert sorted(storage.keys("jobs/1")) == keys[:3]
        assert sorted(storage.keys("jobs/1/a")) == keys[:1]
        storage.delete("jobs/1/")
        assert sorted(storage.keys("")) == keys[2:]
        storage.delete("jobs/1/")
        storage.delete("jobs")
        assert sorted(storage.keys("")) == keys[3:]

    def test_named_objects_are_removed_those_that_are_gone_included(self, storage: Storage) -> None:
        keys = ["parts/1/a/x", "parts/1/a/y", "parts/1/b/x", "parts/10/x"]
        for key in keys:
            storage.put(key, TEN)
        storage.remove(["parts/1/a/x", "parts/1/a/none", "parts/2/x"])
        assert sorted(storage.keys("")) == keys[1:]
        storage.remove(["parts/1/a/y", "parts/1/b/x"])
        storage.remove([])
        assert sorted(storage.keys("")) == keys[3:]

    def test_uploads_of_today_are_left_alone(self, storage: Storage) -> None:
        storage.put("a", TEN)
        assert storage.abort_uploads(86400) == 0
        assert storage.get("a") == TEN

    def test_what_is_missing_is_not_found(self, storage: Storage, tmp_path: Path) -> None:
        for read in (
            lambda: storage.get("jobs/none"),
            lambda: storage.get("jobs/none", 2, 4),
            lambda: storage.get_file("jobs/none", tmp_path / "out"),
        ):
            with pytest.raises(ObjectNotFound, match="jobs/none"):
                read()
        assert ObjectNotFound.retry is Retry.NEVER

    def test_a_file_that_cannot_be_read_leaves_no_object(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            storage.take_file("jobs/1/heat.tif", tmp_path / "none.tif", "image/tiff")
        assert list(storage.keys("")) == []

    def test_large_files_come_back_identical(self, storage: Storage, tmp_path: Path) -> None:
        source, target = tmp_path / "in.bin", tmp_path / "out.bin"
        rng = np.random.default_rng(0)
        source.write_bytes(rng.bytes(16 * 2**20 + 12_345))
        data = source.read_bytes()
        storage.take_file("large.bin", source, "application/octet-stream")
        storage.get_file("large.bin", target)
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(data).digest()
        assert storage.get("large.bin", len(data) - 2000) == data[-2000:]
        self.check_large(storage, "large.bin")

    def check_large(self, storage: Storage, key: str) -> None:
        """What a subclass knows of how a large object lies there."""


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come from elsewhere, and are only moved within storage."""
    replace = Path.replace

    def within(source: Path, target: Path) -> Path:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", within)


class TestFolder(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> FolderStorage:
        return FolderStorage(tmp_path / "objects")

    def test_links_are_file_urls(self, storage: FolderStorage) -> None:
        storage.put("jobs/1/heat storage tank #1.tif", TEN)
        link = urlsplit(storage.link("jobs/1/heat storage tank #1.tif", 60))
        assert link.scheme == "file"
        assert link.fragment == ""
        assert Path(unquote(link.path)).read_bytes() == TEN

    def test_an_unfinished_write_is_not_seen(self, storage: FolderStorage) -> None:
        storage.put("jobs/1/a", TEN)
        with storage.landing("jobs/1/a") as scratch:
            scratch.write_bytes(b"half")
            assert storage.get("jobs/1/a") == TEN
            assert list(storage.keys("jobs/1/")) == ["jobs/1/a"]
        assert storage.get("jobs/1/a") == b"half"

    def test_drafts_of_killed_processes_are_collected(self, storage: FolderStorage) -> None:
        (storage.root / "elsewhere").mkdir(parents=True)
        (storage.root / "elsewhere" / ".hidden").write_bytes(b"not ours")
        with pytest.raises(KeyboardInterrupt), storage.landing("jobs/1/heat.tif") as draft:  # noqa: PT012
            draft.write_bytes(b"half")
            left = draft.with_name(f"{draft.name}1")  # a process that is killed cleans up nothing
            left.write_bytes(b"half")
            young = draft.with_name(f"{draft.name}2")
            young.write_bytes(b"half")
            for old in (left, storage.root / "elsewhere" / ".hidden"):
                os.utime(old, (time.time() - 200, time.time() - 200))
            raise KeyboardInterrupt
        storage.put("jobs/1/item.json", b"{}")
        os.utime(storage.path("jobs/1/item.json"), (1, 1))
        assert storage.abort_uploads(100) == 1
        assert not left.exists()
        assert young.exists()
        assert (storage.root / "elsewhere" / ".hidden").exists()
        assert storage.get("jobs/1/item.json") == b"{}"

    def test_listing_goes_on_while_others_remove(self, storage: FolderStorage) -> None:
        storage.put("parts/kept/1/x", TEN)
        stop = threading.Event()

        def churn() -> None:
            while not stop.is_set():
                for number in range(20):
                    storage.put(f"parts/{number}/1/x", TEN)
                for number in range(20):
                    shutil.rmtree(storage.path(f"parts/{number}"))

        other = threading.Thread(target=churn)
        other.start()
        try:
            assert all("parts/kept/1/x" in storage.keys("parts/") for _ in range(300))
        finally:
            stop.set()
            other.join()

    def test_removing_leaves_no_empty_folder(self, storage: FolderStorage) -> None:
        storage.put("parts/1/a/x", TEN)
        storage.remove(["parts/1/a/x"])
        assert not storage.path("parts/1/a").exists()

    @pytest.mark.parametrize("way", ["put", "take_file"])
    def test_who_reads_an_object_that_is_replaced_sees_the_old_one_whole(
        self, storage: FolderStorage, tmp_path: Path, way: str
    ) -> None:
        old, new = (bytes([value]) * 200_000 for value in (1, 2))
        storage.put("a", old)
        with storage.path("a").open("rb") as reader:
            start = reader.read(1000)
            self.write(storage, way, tmp_path, new)
            assert start + reader.read() == old
        assert storage.get("a") == new

    @pytest.mark.parametrize("way", ["put", "take_file"])
    @pytest.mark.parametrize("old", [None, TEN], ids=["new", "replaced"])
    @pytest.mark.usefixtures("two_disks")
    def test_a_write_that_stops_half_way_shows_nothing(
        self, storage: FolderStorage, tmp_path: Path, way: str, old: bytes | None
    ) -> None:
        """The system stops it, as it does where a disk is full."""
        if old:
            storage.put("a", old)
        data = bytes(200_000)
        (tmp_path / "source").write_bytes(data)
        with file_size_limit(100_000), pytest.raises(StorageUnavailable, match="File too large"):
            self.write(storage, way, tmp_path, data)
        assert list(storage.keys("")) == (["a"] if old else [])
        if old:
            assert storage.get("a") == old
        assert [path.name for path in storage.root.iterdir()] == (["a"] if old else [])

    def write(self, storage: FolderStorage, way: str, folder: Path, data: bytes) -> None:
        """Write object ``a`` one way or the other."""
        if way == "put":
            storage.put("a", data)
            return
        source = folder / "source"
        if not source.exists():
            source.write_bytes(data)
        storage.take_file("a", source, "image/tiff")

    def test_a_file_on_the_same_disk_is_not_copied(
        self, storage: FolderStorage, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(TEN)
        file = (tmp_path / "source").stat().st_ino
        self.write(storage, "take_file", tmp_path, TEN)
        assert storage.path("a").stat().st_ino == file
        assert storage.path("a").stat().st_mode & 0o777 == 0o644

    @pytest.mark.usefixtures("two_disks")
    def test_a_file_on_another_disk_is_copied(self, storage: FolderStorage, tmp_path: Path) -> None:
        self.write(storage, "take_file", tmp_path, TEN)
        assert storage.get("a") == TEN
        assert not (tmp_path / "source").exists()

    def test_a_folder_that_cannot_be_used_is_storage_that_is_away(
        self, storage: FolderStorage, tmp_path: Path
    ) -> None:
        """As where a disk is read-only or unmounted: no unit's fault, and worth another try."""
        (tmp_path / "source").write_bytes(TEN)
        storage.put("jobs", TEN)  # a file, where a folder is wanted
        for use in (
            lambda: storage.put("jobs/1/a", TEN),
            lambda: storage.take_file("jobs/1/a", tmp_path / "source", "image/tiff"),
            lambda: storage.get("jobs/1/a"),
            lambda: storage.get_file("jobs/1/a", tmp_path / "target"),
            lambda: storage.remove(["jobs/1/a"]),
            lambda: list(storage.keys("jobs/1/")),
        ):
            with pytest.raises(StorageUnavailable, match=r"jobs/1/.*Not a directory"):
                use()
        assert storage.get("jobs") == TEN

    def test_objects_are_readable_for_others(self, storage: FolderStorage) -> None:
        storage.put("a", TEN)
        assert storage.path("a").stat().st_mode & 0o777 == 0o644

    def test_a_failed_write_leaves_the_old_object(
        self, storage: FolderStorage, tmp_path: Path
    ) -> None:
        storage.put("a", TEN)
        with pytest.raises(FileNotFoundError):
            storage.take_file("a", tmp_path / "none", "image/tiff")
        assert storage.get("a") == TEN
        assert list(storage.root.iterdir()) == [storage.path("a")]
