"""Which storage settings name, and what a bucket does without one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from geogaze.config import Settings
from geogaze.errors import Retry, StorageUnavailable
from geogaze.storage import FolderStorage, S3Storage, open_storage

TEN = b"0123456789"


def test_settings_name_the_storage(tmp_path: Path) -> None:
    folder = open_storage(Settings(storage=str(tmp_path)))
    assert isinstance(folder, FolderStorage)
    assert folder.root == tmp_path
    for text, prefix in (("s3://heat", ""), ("s3://heat/", ""), ("s3://heat/a/b/", "a/b/")):
        bucket = open_storage(Settings(storage=text))
        assert isinstance(bucket, S3Storage)
        assert (bucket.bucket, bucket.prefix) == ("heat", prefix)


def test_a_dead_endpoint_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(TEN)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's backoff
    settings = Settings(
        storage="s3://heat",
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    storage = open_storage(settings)
    for use in (
        lambda: storage.put("a", TEN),
        lambda: storage.get("a"),
        lambda: list(storage.keys("")),
        lambda: storage.delete("a"),
        lambda: storage.take_file("a", tmp_path / "source", "text/plain"),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            use()
        assert caught.value.retry is Retry.OUTAGE


def test_links_name_the_public_endpoint() -> None:
    settings = Settings(
        storage="s3://heat/products",
        s3_endpoint="http://minio:9000",
        s3_public_endpoint="https://objects.example.org",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    link = open_storage(settings).link("jobs/1/heat.tif", 90)
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}" == "https://objects.example.org"
    assert parts.path == "/heat/products/jobs/1/heat.tif"
    assert "X-Amz-Expires=90" in parts.query
    assert "secret" not in link
