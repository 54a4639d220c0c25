"""The storage contract on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from geogaze.config import Settings
from geogaze.errors import ObjectNotFound, StorageUnavailable
from geogaze.storage import S3Storage, Storage, open_storage
from infra.services import S3Endpoint
from tests.unit.test_storage import TEN, StorageContract


def s3_settings(s3: S3Endpoint, prefix: str, **changes: str) -> Settings:
    values = {
        "storage": f"s3://{s3.bucket}/{prefix}",
        "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key,
        "s3_secret_key": s3.secret_key,
        "s3_region": s3.region,
        **changes,
    }
    return Settings(**values)  # type: ignore[arg-type]


class TestS3(StorageContract):
    @pytest.fixture
    def storage(self, s3: S3Endpoint) -> Iterator[S3Storage]:
        storage = open_storage(s3_settings(s3, f"test-{uuid4().hex}"))
        assert isinstance(storage, S3Storage)
        yield storage
        storage.delete("")

    def check_large(self, storage: Storage, key: str) -> None:
        assert isinstance(storage, S3Storage)
        head = storage.client.head_object(Bucket=storage.bucket, Key=storage.prefix + key)
        assert head["ETag"].strip('"').endswith("-2"), "it did not go in two parts"
        assert head["ContentType"] == "application/octet-stream"

    def test_links_work_without_credentials_and_only_untampered(self, storage: S3Storage) -> None:
        storage.put("jobs/1/heat storage tank #1.tif", TEN)
        storage.put("jobs/1/secret", TEN)
        link = storage.link("jobs/1/heat storage tank #1.tif", 60)
        answer = httpx.get(link)
        assert (answer.status_code, answer.content) == (200, TEN)
        part = httpx.get(link, headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, TEN[2:5])
        signature = link.rpartition("X-Amz-Signature=")
        bare = urlsplit(link)._replace(query="").geturl()
        for tampered in (
            f"{signature[0]}X-Amz-Signature={'0' * 64}",
            link.replace("heat%20storage%20tank%20%231.tif", "secret"),
            link.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        ):
            assert tampered != link
            assert httpx.get(tampered).status_code == 403
        assert httpx.get(bare).is_client_error  # Swift: 400, others: 403

    def test_files_are_served_as_what_they_are(self, storage: S3Storage, tmp_path: Path) -> None:
        (tmp_path / "item.json").write_text("{}")
        storage.take_file("item.json", tmp_path / "item.json", "application/geo+json")
        head = httpx.get(storage.link("item.json", 60)).headers
        assert head["content-type"] == "application/geo+json"

    def test_a_prefix_is_a_world_of_its_own(self, s3: S3Endpoint, storage: S3Storage) -> None:
        other = open_storage(s3_settings(s3, storage.prefix.rstrip("/") + "-other"))
        storage.put("a", b"1")
        other.put("a", b"2")
        other.delete("")
        assert list(storage.keys("")) == ["a"]
        assert storage.get("a") == b"1"

    def test_listings_go_past_one_page(self, storage: S3Storage) -> None:
        asked = []

        def two(params: dict[str, Any], **_: Any) -> None:
            params["MaxKeys"] = 2
            asked.append(params)

        storage.client.meta.events.register("before-parameter-build.s3.ListObjectsV2", two)
        for number in range(3):
            storage.put(f"{number}", b"")
        assert sorted(storage.keys("")) == ["0", "1", "2"]
        assert len(asked) == 2

    def begin(self, storage: S3Storage, key: str) -> str:
        """Begin an upload in several parts."""
        begun = storage.client.create_multipart_upload(
            Bucket=storage.bucket, Key=storage.prefix + key
        )
        return begun["UploadId"]

    def running(self, storage: S3Storage) -> set[str]:
        found = storage.client.list_multipart_uploads(Bucket=storage.bucket, Prefix=storage.prefix)
        return {one["Key"].removeprefix(storage.prefix) for one in found.get("Uploads", [])}

    def test_running_uploads_stay_and_stale_ones_go(
        self, s3: S3Endpoint, storage: S3Storage
    ) -> None:
        other = open_storage(s3_settings(s3, f"other-{uuid4().hex}"))
        assert isinstance(other, S3Storage)
        asked = []

        def two(params: dict[str, Any], **_: Any) -> None:
            params["MaxUploads"] = 2
            asked.append(params)

        keys = {"a", "b", "c"}
        for key in keys:
            self.begin(storage, key)
        self.begin(other, "theirs")
        storage.put("a", TEN)
        assert storage.abort_uploads(3600) == 0
        assert self.running(storage) == keys
        storage.client.meta.events.register("before-parameter-build.s3.ListMultipartUploads", two)
        assert storage.abort_uploads(-3600) == 3  # begun before an hour from now
        assert len(asked) > 1, "it did not go past one page"
        storage.client.meta.events.unregister("before-parameter-build.s3.ListMultipartUploads", two)
        assert self.running(storage) == set()
        assert self.running(other) == {"theirs"}
        assert storage.get("a") == TEN
        other.abort_uploads(-3600)

    def test_an_upload_that_ends_while_stale_ones_are_dropped_is_no_error(
        self, storage: S3Storage
    ) -> None:
        ids = [(key, self.begin(storage, key)) for key in ("a", "b")]

        def end(**_: Any) -> None:
            storage.client.meta.events.unregister(event, end)
            for key, upload in ids:
                storage.client.abort_multipart_upload(
                    Bucket=storage.bucket, Key=storage.prefix + key, UploadId=upload
                )

        event = "before-parameter-build.s3.AbortMultipartUpload"
        storage.client.meta.events.register(event, end)
        storage.abort_uploads(-3600)
        assert self.running(storage) == set()

    def test_an_object_that_a_head_does_not_find_is_missing(self, storage: S3Storage) -> None:
        """Answers to HEAD have no body, so no name for the error; transfers may ask by it."""
        with pytest.raises(ObjectNotFound, match="no object 'nowhere'"), storage.errors("nowhere"):
            storage.client.head_object(Bucket=storage.bucket, Key=storage.prefix + "nowhere")

    @pytest.mark.parametrize(
        "changes",
        [{"s3_secret_key": "wrong"}, {"storage": "s3://geogaze-no-such-bucket"}],
    )
    def test_a_wrong_setup_is_not_taken_for_a_missing_object(
        self, s3: S3Endpoint, changes: dict[str, str], tmp_path: Path
    ) -> None:
        storage = open_storage(s3_settings(s3, "x", **changes))
        (tmp_path / "source").write_bytes(TEN)
        with pytest.raises(StorageUnavailable):
            storage.put("a", TEN)
        with pytest.raises(StorageUnavailable):
            storage.get("a")
        with pytest.raises(StorageUnavailable):
            storage.take_file("a", tmp_path / "source", "text/plain")
        with pytest.raises(StorageUnavailable):
            storage.get_file("a", tmp_path / "a")

    def test_more_than_a_thousand_objects_go_in_two_deletions(self, storage: S3Storage) -> None:
        asked: list[int] = []

        def count(params: dict[str, Any], **_: Any) -> None:
            asked.append(len(params["Delete"]["Objects"]))

        storage.client.meta.events.register("before-parameter-build.s3.DeleteObjects", count)
        keys = [f"{number:04}" for number in range(1001)]
        there = [keys[n] for n in (0, 999, 1000)]
        for key in (*there, "kept"):
            storage.put(key, b"")
        storage.remove(keys)
        assert asked == [1000, 1]
        assert list(storage.keys("")) == ["kept"]

    def test_deletions_that_are_refused_one_by_one_are_told(
        self, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = {"Errors": [{"Key": "a", "Message": "Access Denied"}]}
        monkeypatch.setattr(storage.client, "delete_objects", lambda **_: refused)
        with pytest.raises(StorageUnavailable, match=r"1 objects.*'a': Access Denied"):
            storage.remove(["a", "b"])
