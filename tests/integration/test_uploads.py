"""Uploads to a bucket, past the API: parts by signed links, and none that is refused stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from api.app import create_app
from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import RemoteRefusal
from geogaze.models.registered import Registry
from geogaze.models.registry import find_model
from geogaze.storage import S3Storage, open_storage
from geogaze.storage.parts import parts_of
from geogaze.uploads import Uploads
from infra.services import S3Endpoint
from tests.factories import write_scene
from tests.integration.test_storage import s3_settings
from tests.unit.api.testing import TestClient

MIB = 2**20


@pytest.fixture
def settings(s3: S3Endpoint, tmp_path: Path, bundle_folder: Path) -> Iterator[Settings]:
    prefix = f"uploads-{uuid4().hex}"
    settings = s3_settings(s3, prefix).model_copy(
        update={
            "database_url": f"sqlite:///{tmp_path / 'ledger.db'}",
            "upload_part_bytes": MIB,  # S3 itself wants 5
            "model_folders": (bundle_folder.parent,),
            "model_registry": f"s3://{s3.bucket}/{prefix}/models",
        }
    )
    yield settings
    open_storage(settings).delete("")


@pytest.fixture
def storage(settings: Settings) -> S3Storage:
    storage = open_storage(settings)
    assert isinstance(storage, S3Storage)
    return storage


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    app = create_app(settings)
    app.state.services.ledger.create_tables()
    with TestClient(app, raise_server_exceptions=False) as http, Client("http://api") as client:
        client.http.close()
        client.http = httpx.Client(transport=http._transport, base_url="http://testserver")
        yield client


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of 12.6 MB that does not compress: three parts."""
    pixels = np.random.default_rng(1).integers(0, 255, (3, 2048, 2048), dtype=np.uint8)
    return write_scene(tmp_path_factory.mktemp("mine") / "large port.tif", pixels)


def nothing_left(storage: S3Storage) -> bool:
    listed = storage.client.list_multipart_uploads(Bucket=storage.bucket, Prefix=storage.prefix)
    return not listed.get("Uploads") and not list(storage.keys(""))


def test_an_upload_cut_off_three_times_arrives_whole(
    client: Client, storage: S3Storage, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, came = httpx.put, []

    def broken(href: str, **options: Any) -> httpx.Response:
        assert href.startswith("http://127.0.0.1"), "past the API"
        if len(came) in {0, 2, 4}:
            came.append("cut")
            raise KeyboardInterrupt
        came.append(href)
        return put(href, **options)

    monkeypatch.setattr(httpx, "put", broken)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            client.upload(large)
    scene = client.upload(large)
    assert scene.startswith(f"s3://{storage.bucket}/{storage.prefix}uploads/")
    assert storage.get(scene.partition(storage.prefix)[2]) == large.read_bytes()
    parts = [href for href in came if href.startswith("http")]
    assert len(parts) == len(set(parts)) == 3, "none is sent twice"
    quote = client.quote({"scene": scene, "model": "tiny"})
    assert quote["tiles"] > 0


@pytest.mark.parametrize("kind", ["changed", "text"])
def test_what_is_refused_leaves_nothing(
    client: Client,
    storage: S3Storage,
    large: Path,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "changed":
        monkeypatch.setattr("geogaze.uploading.file_sha256", lambda path: "0" * 64)
        path, says = large, "came with sha256"
    else:
        path, says = tmp_path / "notes.tif", "cannot be opened as a GeoTIFF"
        path.write_text("no pixels here")
    with pytest.raises(RemoteRefusal, match=says):
        client.upload(path)
    assert nothing_left(storage)


def test_parts_may_come_through_the_api(client: Client, storage: S3Storage, large: Path) -> None:
    """A browser has no way to a bucket whose CORS rules do not name the page."""
    http, data = client.http, large.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    announced = {"name": large.name, "size": len(data), "sha256": digest}
    upload = http.post("/uploads", json=announced).json()
    for part in upload["missing"]:
        piece = data[part["start"] :][: part["size"]]
        path = f"/uploads/{upload['id']}/parts/{part['number']}"
        assert http.put(path, content=piece).status_code == 204
    scene = http.post(f"/uploads/{upload['id']}/complete").json()["scene"]
    assert storage.get(scene.partition(storage.prefix)[2]) == data


def test_a_model_goes_to_the_bucket_and_from_there_to_workers(
    client: Client, settings: Settings, storage: S3Storage, bundle_folder: Path, tmp_path: Path
) -> None:
    added = client.add_model(bundle_folder, "aerial", alias="production")
    assert client.model("aerial")["versions"] == [added]
    assert not list(storage.keys("uploads/"))
    worker = settings.model_copy(update={"cache_folder": tmp_path / "worker"})
    for _ in range(2):
        bundle = find_model("aerial@production", worker)
        assert bundle.folder == tmp_path / "worker" / "models" / added["digest"] / "aerial@1"
        weights = (bundle.folder / "model.safetensors").read_bytes()
        assert weights == (bundle_folder / "model.safetensors").read_bytes()
    assert Registry.of(worker).check(Registry.of(worker).version("aerial@1"))
    client.delete_alias("aerial", "production")
    client.remove_model("aerial", "1")
    (left,) = storage.keys("models/")
    assert left == f"models/aerial/versions/1/{added['digest']}.json"


def test_what_expires_leaves_nothing(settings: Settings, storage: S3Storage, large: Path) -> None:
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    old = Uploads(settings, storage, clock=lambda: 0.0)
    upload = old.begin("default", large.name, large.stat().st_size, digest)
    href = old.address(upload, 1)
    assert href
    assert httpx.put(href, content=large.read_bytes()[: upload.part_size]).status_code == 200
    assert httpx.put(href, content=b"more or less").is_client_error, "its size is signed"
    assert old.received(upload) == {1}
    second = large.read_bytes()[upload.part_size :][: upload.part_size]
    parts_of(storage).put(upload.key, upload.parts, 2, second)  # by whoever may write there
    assert old.received(upload) == {1, 2}
    assert Uploads(settings, storage).expire() == 1
    assert nothing_left(storage)
