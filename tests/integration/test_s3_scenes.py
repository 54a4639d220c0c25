"""Scenes in a bucket: one S3 configuration for storage, versions of scenes, and GDAL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import rasterio

from geogaze import s3 as access
from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneReplaced, SceneUnreadable
from geogaze.ledger.states import JobState
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.submit import submit
from geogaze.scene import version
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.version import look
from geogaze.storage import open_storage
from infra.services import S3Endpoint
from tests.factories import make_scene
from tests.unit.runner.jobs import Bureau

KEY = "scenes/storage tank #1.tif"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Sessions and clients are kept, with the credentials that they once found."""
    for kept in (access._kept_session, version._client):
        kept.cache_clear()
    yield
    for kept in (access._kept_session, version._client):
        kept.cache_clear()


@pytest.fixture
def scene(s3: S3Endpoint, tmp_path: Path) -> Iterator[Path]:
    """Of which the bucket has a copy."""
    path = make_scene(tmp_path / "scene.tif", 200, 260, seed=4)
    s3.client().upload_file(str(path), s3.bucket, KEY)
    yield path
    s3.client().delete_object(Bucket=s3.bucket, Key=KEY)


@pytest.fixture
def uri(s3: S3Endpoint, scene: Path) -> str:
    return f"s3://{s3.bucket}/{KEY}"


@pytest.fixture
def settings(s3: S3Endpoint) -> Settings:
    return Settings(
        s3_endpoint=s3.endpoint,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        s3_region=s3.region,
        source_buckets=(s3.bucket,),
        connect_seconds=2,
        silence_seconds=20,
    )


@pytest.fixture(params=["settings", "environment", "profile"])
def reached(
    settings: Settings,
    s3: S3Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Settings:
    """Keys in the settings, or where boto3 finds them."""
    if request.param != "settings":
        settings = settings.model_copy(update={"s3_access_key": None, "s3_secret_key": None})
    if request.param == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    if request.param == "profile":
        keys = f"aws_access_key_id = {s3.access_key}\naws_secret_access_key = {s3.secret_key}\n"
        (tmp_path / "credentials").write_text(f"[default]\n{keys}")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return settings


def test_whoever_reaches_storage_reaches_scenes(
    reached: Settings, s3: S3Endpoint, scene: Path, uri: str
) -> None:
    storage = open_storage(
        reached.model_copy(update={"storage": f"s3://{s3.bucket}/test-{uuid4().hex}"})
    )
    storage.put("a", b"1")
    storage.delete("")
    policy = SourcePolicy.of(reached)
    assert look(uri, policy, reached).version
    with open_reader(uri, policy, reached) as reader, rasterio.open(scene) as local:
        values = reader.pixels((1, 2, 3), (0, 0, *local.shape), local.shape).values
        assert (values == local.read()).all()


def test_the_same_size_is_not_the_same_version(
    settings: Settings, s3: S3Endpoint, scene: Path, uri: str
) -> None:
    policy = SourcePolicy.of(settings)
    before = look(uri, policy, settings).version
    content = scene.read_bytes()
    s3.client().put_object(Bucket=s3.bucket, Key=KEY, Body=content[:-1] + b"\x01")
    changed = look(uri, policy, settings).version
    s3.client().put_object(Bucket=s3.bucket, Key=KEY, Body=content + b"\x01")
    longer = look(uri, policy, settings).version
    s3.client().put_object(Bucket=s3.bucket, Key=KEY, Body=content)
    assert look(uri, policy, settings).version == before
    assert len({before, changed, longer}) == 3
    with (
        pytest.raises(SceneReplaced),
        open_reader(uri, policy, settings, version=changed),
    ):
        pass


def test_what_is_not_there_is_no_outage_and_what_is_away_is_one(
    settings: Settings, s3: S3Endpoint, uri: str
) -> None:
    policy = SourcePolicy.of(settings)
    with pytest.raises(SceneUnreadable, match="There is no 's3://"):
        look(f"s3://{s3.bucket}/absent.tif", policy, settings)
    wrong = Settings.model_validate({**settings.model_dump(), "s3_secret_key": "wrong"})
    with pytest.raises(SceneUnreadable, match="refuses to show it"):
        look(uri, policy, wrong)
    away = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(SceneAway, match="did not answer"), open_reader(uri, policy, away):
        pass


def test_without_credentials_requests_are_not_signed(
    settings: Settings, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which public buckets take, and this one does not."""
    for name, value in {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bare = settings.model_copy(update={"s3_access_key": None, "s3_secret_key": None})
    session, options = access.gdal_session(bare)
    assert session.get_credential_options()["AWS_NO_SIGN_REQUEST"] == "YES"
    assert options == {"AWS_HTTPS": False, "AWS_VIRTUAL_HOSTING": False}
    with pytest.raises(SceneUnreadable, match="refuses to show it"):
        look(uri, SourcePolicy.of(bare), bare)


def test_a_scene_in_a_bucket_goes_through_runner_and_worker(
    settings: Settings, s3: S3Endpoint, scene: Path, uri: str, tmp_path: Path, bundle_folder: Path
) -> None:
    kept = {"s3_endpoint", "s3_access_key", "s3_secret_key", "s3_region", "source_buckets"}
    bureau = Bureau(
        tmp_path / "bureau",
        bundle_folder,
        model_folders=(bundle_folder.parent,),
        source_folders=(tmp_path,),
        **{name: getattr(settings, name) for name in kept},
    )
    try:
        products = []
        for where in (uri, str(scene)):
            request = ExplainRequest(scene=where, model="tiny", classes=("boat",))
            job = submit(bureau.ledger, request, make_plan(request, bureau.settings))
            status = bureau.work(job)
            assert status.state is JobState.SUCCESSFUL, status.message
            products.append(bureau.products(job))
        for name in ("heat-boat", "overlay-boat"):
            assert products[0][name] == products[1][name], name
    finally:
        bureau.close()
