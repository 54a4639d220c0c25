"""The registry over HTTP: what operators may, what jobs keep, and what never gets in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import RemoteRefusal
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.models.item import read_bundle
from geogaze.models.packed import pack
from geogaze.models.registered import Registry
from geogaze.storage import FolderStorage
from tests.factories import make_bundle
from tests.unit.api.test_jobs import end
from tests.unit.api.test_uploads import announce, send
from tests.unit.api.testing import Serve, TestClient, bearer

EXECUTION = "/processes/explain/execution"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    changes = {"model_registry": str(tmp_path / "registry"), "cache_folder": tmp_path / "cache"}
    return settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with other weights than ``tiny`` has."""
    return make_bundle(tmp_path_factory.mktemp("other") / "ours", seed=5)


def client_of(http: TestClient, headers: dict[str, str] | None = None) -> Client:
    client = Client("http://testserver")
    client.http.close()
    client.http = httpx.Client(
        transport=http._transport, base_url="http://testserver", headers=headers
    )
    return client


@pytest.fixture
def client(http: TestClient) -> Iterator[Client]:
    with client_of(http) as client:
        yield client


def plan_of(ledger: Ledger, job: dict[str, Any]) -> dict[str, Any]:
    bundle: dict[str, Any] = ledger.plan(UUID(job["jobID"]))["bundle"]
    return bundle


def test_from_a_bundle_to_jobs_that_keep_their_version(
    client: Client,
    http: TestClient,
    ledger: Ledger,
    storage: FolderStorage,
    bundle_folder: Path,
    other_bundle: Path,
    scene: Path,
    logs: list[Any],
) -> None:
    first = client.add_model(bundle_folder, "aerial", alias="production")
    assert (first["version"], first["aliases"]) == ("1", ["production"])
    assert f"sha256:{first['sha256']}" == read_bundle(bundle_folder).weights
    assert client.add_model(bundle_folder, "aerial") == first
    second = client.add_model(other_bundle, "aerial", version="2026.2")
    assert not list(storage.keys("uploads/")), "uploads are gone"
    known = {model["name"]: model for model in client.models()}
    assert known["aerial"] == client.model("aerial")
    assert known["aerial"]["versions"] == [first, second]
    assert (known["aerial"]["version"], known["tiny"]["versions"]) == ("2026.2", [])
    assert client.model("tiny")["classes"] == ["boat", "field", "road"]

    inputs = {"scene": str(scene), "model": "aerial@production"}
    before = client.submit(inputs)
    assert client.quote(inputs)["tiles"] > 0
    moved = client.set_alias("aerial", "production", "2026.2")
    assert moved["aliases"] == ["production"]
    after = client.submit(inputs)
    plans = [plan_of(ledger, job) for job in (before, after)]
    assert [plan["name"] for plan in plans] == ["aerial@1", "aerial@2026.2"]
    assert [plan["weights"].removeprefix("sha256:") for plan in plans] == [
        first["sha256"],
        second["sha256"],
    ]
    assert "aerial@1" in json.dumps(http.get(f"/jobs/{before['jobID']}/prov").json())

    with pytest.raises(RemoteRefusal, match=rf"Unfinished jobs need it: {before['jobID']}"):
        client.remove_model("aerial", "1")
    end(ledger, UUID(before["jobID"]), JobState.SUCCESSFUL)
    client.dismiss(after["jobID"])
    client.remove_model("aerial", "1")
    with pytest.raises(RemoteRefusal, match="is production"):
        client.remove_model("aerial", "2026.2")
    for wrong in ("1", "production", "9"):
        with pytest.raises(RemoteRefusal, match="HTTP 404"):
            client.remove_model("aerial", wrong)
    client.delete_alias("aerial", "production")
    assert client.model("aerial")["versions"] == [{**second, "aliases": []}]
    with pytest.raises(RemoteRefusal, match="no version or alias 'production'"):
        client.submit(inputs)
    put_down = [
        (entry["action"], entry["model"])
        for entry in logs
        if entry.get("channel") == "audit" and "action" in entry
    ]
    assert put_down == [
        ("models add", "aerial@1"),
        ("models add", "aerial@1"),
        ("models add", "aerial@2026.2"),
        ("models alias", "aerial@2026.2"),
        ("models remove", "aerial@1"),
        ("models alias --delete", "aerial@production"),
    ]


def test_versions_and_names_are_not_taken_twice(
    client: Client, http: TestClient, settings: Settings, bundle_folder: Path, other_bundle: Path
) -> None:
    Registry.of(settings).add(bundle_folder, "aerial", "spring")
    with pytest.raises(RemoteRefusal, match=r"Versions never change.*HTTP 409"):
        client.add_model(other_bundle, "aerial", version="spring")
    asked = {"upload": "0" * 32, "name": "tiny"}
    assert "a name means one thing" in http.post("/models", json=asked).json()["detail"]
    for change in (("aerial", "3", "spring"), ("aerial", "new", "9"), ("none", "new", "1")):
        with pytest.raises(RemoteRefusal, match=r"HTTP 40[04]"):
            client.set_alias(*change)
    with pytest.raises(RemoteRefusal, match="HTTP 404"):
        client.delete_alias("aerial", "production")
    with pytest.raises(RemoteRefusal, match="HTTP 404"):
        client.model("nothing")


def test_what_is_no_bundle_does_not_get_in(
    http: TestClient, bundle_folder: Path, tmp_path: Path, storage: FolderStorage, local: Path
) -> None:
    pack(bundle_folder, tmp_path / "tiny.tar")
    wrong = tmp_path / "wrong.tar"
    data = bytearray((tmp_path / "tiny.tar").read_bytes())
    data[len(data) // 2] ^= 1  # of a weight
    wrong.write_bytes(data)
    upload = send(http, wrong, announce(http, wrong).json())
    refused = http.post(f"/uploads/{upload['id']}/complete")
    assert refused.status_code == 400
    assert "item.json says sha256:" in refused.json()["detail"]
    assert not any(storage.keys("uploads/"))
    asked = {"upload": upload["id"], "name": "aerial"}
    assert http.post("/models", json=asked).status_code == 404
    for path, status in ((tmp_path / "tiny.tar", 409), (local, 400)):
        begun = announce(http, path).json()
        answer = http.post("/models", json={**asked, "upload": begun["id"]})
        assert answer.status_code == status, answer.text
    for extra in ({"name": "a/b"}, {"name": ".."}, {"stage": "production"}, {"version": 3}):
        assert http.post("/models", json={**asked, **extra}).status_code in {400, 404}
    assert not (tmp_path / "registry").exists()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "notes.tif"
    path.write_text("no pixels")
    return path


def test_operators_alone_change_models(
    serve: Serve, app: FastAPI, ledger: Ledger, bundle_folder: Path
) -> None:
    http, keys = serve(keys=True), Keys(ledger.database)
    user, operator = (
        bearer(keys.create("test", tenant="ours", scopes=scopes)[1])
        for scopes in ({Scope.READ, Scope.SUBMIT}, set(Scope))
    )
    asked = {"upload": "0" * 32, "name": "aerial"}
    assert "needs 'admin'" in http.post("/models", json=asked, headers=user).json()["detail"]
    with client_of(http, operator) as client:
        assert client.add_model(bundle_folder, "aerial")["version"] == "1"
    assert http.get("/models/aerial", headers=user).json()["version"] == "1"


def test_behind_a_gateway_that_names_tenants_nobody_changes_models(serve: Serve) -> None:
    http = serve(tenant_header="X-Tenant")
    asked = {"upload": "0" * 32, "name": "aerial"}
    for headers, status in (({}, 400), ({"X-Tenant": "ours"}, 403)):
        assert http.post("/models", json=asked, headers=headers).status_code == status
        assert http.delete("/models/a/versions/1", headers=headers).status_code == status
    assert http.get("/workers").status_code == 200, "a gateway keeps others from what is only seen"
