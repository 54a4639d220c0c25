"""Uploads to a folder: in parts, broken off and gone on with, and none that is refused stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from geogaze import uploading
from geogaze.client import Client
from geogaze.config import Settings
from geogaze.errors import RemoteError, RemoteRefusal
from geogaze.storage import FolderStorage
from geogaze.uploads import Uploads
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, make_app

PART = 4096
LATER = {"Prefer": "respond-async"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"upload_part_bytes": PART})


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A scene where the server may not read it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return make_scene(folder / "my port (1).tif", 96, 128)


def announce(http: TestClient, path: Path, **changes: Any) -> Any:
    data = path.read_bytes()
    document = {"name": path.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return http.post("/uploads", json={**document, **changes})


def send(http: TestClient, path: Path, upload: dict[str, Any], most: int = 10**9) -> dict[str, Any]:
    """Put up to so many parts that are missing; the upload as it is then."""
    data = path.read_bytes()
    for part in upload["missing"][:most]:
        piece = data[part["start"] : part["start"] + part["size"]]
        assert http.put(part["href"], content=piece).status_code == 204
    found: dict[str, Any] = http.get(f"/uploads/{upload['id']}").json()
    return found


def nothing_left(storage: FolderStorage) -> bool:
    return not any(storage.path("uploads").rglob("*"))


def test_a_scene_in_parts_is_a_jobs_scene(
    http: TestClient, local: Path, storage: FolderStorage
) -> None:
    answer = announce(http, local)
    assert answer.status_code == 201
    upload = answer.json()
    assert http.get(answer.headers["location"]).json() == upload
    assert (upload["status"], upload["received"], upload["partSize"]) == ("open", 0, PART)
    assert upload["parts"] == len(upload["missing"]) > 3
    upload["missing"].reverse()  # in any order
    upload = send(http, local, upload)
    assert (upload["missing"], upload["received"]) == ([], upload["parts"])
    done = http.post(f"/uploads/{upload['id']}/complete")
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "complete"
    scene = done.json()["scene"]
    assert Path(scene).read_bytes() == local.read_bytes()
    assert sorted(Path(scene).parent.iterdir()) == sorted(
        [Path(scene), Path(scene).with_name("upload.json")]
    ), "the parts are gone"
    assert http.post(f"/uploads/{upload['id']}/complete").json() == done.json()
    assert announce(http, local).json()["scene"] == scene, "it need not come twice"
    job = {"inputs": {"scene": scene, "model": "tiny"}}
    assert http.post("/processes/explain/execution", json=job).status_code == 201
    assert http.delete(f"/uploads/{upload['id']}").status_code == 204
    assert nothing_left(storage)


def breaking(http: httpx.Client, after: list[int]) -> Callable[..., httpx.Response]:
    """PUT that breaks off after so many parts each time."""
    put, came = http.put, 0

    def broken(*args: Any, **options: Any) -> httpx.Response:
        nonlocal came
        if after and came == after[0]:
            came = 0
            after.pop(0)
            raise KeyboardInterrupt
        came += 1
        answer: httpx.Response = put(*args, **options)
        return answer

    return broken


@pytest.fixture
def client(http: TestClient) -> Client:
    client = Client("http://testserver")
    client.http.close()
    client.http = httpx.Client(transport=http._transport, base_url="http://testserver")
    return client


def test_an_upload_cut_off_three_times_arrives_whole(
    client: Client, http: TestClient, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts, sent = [2, 1, 2], []
    monkeypatch.setattr(client.http, "put", breaking(client.http, cuts))
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            client.upload(local, on_bytes=lambda n, of: sent.append(n))
    assert cuts == []
    there = announce(http, local).json()
    assert there["received"] == 2 + 1 + 2
    sent.clear()
    scene = client.upload(local, on_bytes=lambda n, of: sent.append(n))
    assert sent[0] == 5 * PART, "it does not begin anew"
    assert sent[-1] == local.stat().st_size
    assert Path(scene).read_bytes() == local.read_bytes()


def test_a_part_that_does_not_arrive_is_sent_again(
    client: Client, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(uploading, "sleep", naps.append)  # its own: others sleep beside
    put, lost = client.http.put, ["one", "two"]

    def losing(*args: Any, **options: Any) -> Any:
        if lost and lost.pop():
            raise httpx.ReadError("gone")
        return put(*args, **options)

    monkeypatch.setattr(client.http, "put", losing)
    assert Path(client.upload(local)).read_bytes() == local.read_bytes()
    assert naps == [1.0, 2.0]

    def dead(*args: Any, **options: Any) -> Any:
        raise httpx.ConnectError("no route")

    other = make_scene(local.with_name("other.tif"), 64, 64, seed=3)
    monkeypatch.setattr(client.http, "put", dead)
    with pytest.raises(RemoteError, match=r"other\.tif does not arrive: no route"):
        client.upload(other)
    assert len(naps) == 2 + 5, "it gives up after a while"


def test_another_file_than_was_announced_leaves_nothing(
    http: TestClient, local: Path, storage: FolderStorage
) -> None:
    upload = announce(http, local, sha256="0" * 64).json()
    send(http, local, upload)
    refused = http.post(f"/uploads/{upload['id']}/complete")
    assert refused.status_code == 400
    assert refused.json()["type"].endswith(":upload-refused")
    assert hashlib.sha256(local.read_bytes()).hexdigest() in refused.json()["detail"]
    assert nothing_left(storage)
    assert http.get(f"/uploads/{upload['id']}").status_code == 404


@pytest.mark.parametrize("kind", ["text", "chip", "vrt"])
def test_what_is_no_scene_leaves_nothing(
    http: TestClient, local: Path, storage: FolderStorage, kind: str
) -> None:
    path = local.with_name(f"{kind}.tif")
    if kind == "chip":
        make_scene(path, 64, 64, crs=None)
    else:
        path.write_text(
            "no pixels here"
            if kind == "text"
            else '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" '
            'band="1"><SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>'
            "</VRTRasterBand></VRTDataset>"
        )
    upload = announce(http, path).json()
    send(http, path, upload)
    refused = http.post(f"/uploads/{upload['id']}/complete")
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (
        *(400, "upload-refused"),
    )
    assert nothing_left(storage)


def test_an_upload_whose_time_is_over_leaves_nothing(
    http: TestClient, local: Path, settings: Settings, storage: FolderStorage
) -> None:
    moment = 1_000_000.0
    uploads = Uploads(settings, storage, clock=lambda: moment)
    digest = hashlib.sha256(local.read_bytes()).hexdigest()
    uploads.begin("default", local.name, local.stat().st_size, digest)
    young = announce(http, make_scene(local.with_name("b.tif"), 64, 64)).json()
    assert uploads.expire() == 0
    moment += settings.upload_seconds + 1
    assert uploads.expire() == 1
    assert [path.parent.name for path in storage.path("uploads").rglob("upload.json")] == [
        young["id"]
    ]
    moment = 1_000_000.0
    old = uploads.begin("default", local.name, local.stat().st_size, digest)
    assert http.get(f"/uploads/{old.id}").status_code == 404, "nobody swept yet"
    assert not storage.path(f"uploads/{old.id}").exists()


def test_parts_that_are_missing_are_told(http: TestClient, local: Path) -> None:
    upload = send(http, local, announce(http, local).json(), most=2)
    answer = http.post(f"/uploads/{upload['id']}/complete")
    assert answer.status_code == 409
    assert f"lacks {upload['parts'] - 2} parts: 3, 4" in answer.json()["detail"]
    for number, data in ((1, b"short"), (upload["parts"] + 1, b"x" * PART)):
        wrong = http.put(f"/uploads/{upload['id']}/parts/{number}", content=data)
        assert wrong.status_code == 400, number
    assert http.get(f"/uploads/{upload['id']}").json() == upload


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"size": 0}, 400),
        ({"size": 21 * 2**30}, 413),
        ({"sha256": "abc"}, 400),
        ({"name": "../port.tif"}, 400),
        ({"name": ".hidden.tif"}, 400),
        ({"name": "upload.json"}, 400),
        ({"name": "a/b.tif"}, 400),
    ],
)
def test_what_is_not_taken_is_refused_at_once(
    http: TestClient, local: Path, storage: FolderStorage, changes: dict[str, Any], status: int
) -> None:
    assert announce(http, local, **changes).status_code == status
    assert not storage.path("uploads").exists()


def test_an_upload_is_its_tenants(settings: Settings, local: Path) -> None:
    app = make_app(settings.model_copy(update={"tenant_header": "X-Tenant"}))
    http = TestClient(app, raise_server_exceptions=False)
    body = {"name": local.name, "size": 10, "sha256": "1" * 64}
    ours, theirs = {"X-Tenant": "us"}, {"X-Tenant": "them"}
    one = http.post("/uploads", json=body, headers=ours).json()
    assert http.post("/uploads", json=body, headers=theirs).json()["id"] != one["id"]
    assert http.get(f"/uploads/{one['id']}", headers=theirs).status_code == 404
    assert http.get(f"/uploads/{one['id']}", headers=ours).status_code == 200
    assert http.get(f"/uploads/{uuid4()}", headers=ours).status_code == 404
    app.state.services.ledger.database.dispose()


@pytest.mark.parametrize(
    ("quota", "told"),
    [({"quota_uploads": 2}, "would be 3; 2 are"), ({"quota_upload_bytes": 25}, "30 bytes; 25 are")],
)
def test_a_tenant_has_no_more_than_its_quota(
    settings: Settings, storage: FolderStorage, quota: dict[str, int], told: str
) -> None:
    app = make_app(settings.model_copy(update={"tenant_header": "X-Tenant", **quota}))
    http = TestClient(app, raise_server_exceptions=False)
    bodies = [{"name": "a.tif", "size": 10, "sha256": f"{n}" * 64} for n in range(3)]

    def begin(body: dict[str, Any], tenant: str = "us") -> httpx.Response:
        return http.post("/uploads", json=body, headers={"X-Tenant": tenant})

    begun = [begin(body).json()["id"] for body in bodies[:2]]
    before = sorted(storage.path("uploads").rglob("*"))
    over = begin(bodies[2])
    assert over.status_code == 429
    assert told in over.json()["detail"]
    assert over.headers["retry-after"] == "3600"
    assert sorted(storage.path("uploads").rglob("*")) == before, "nothing is left of it"
    assert begin(bodies[1]).json()["id"] == begun[1], "what was begun goes on"
    assert begin(bodies[2], "them").status_code == 201
    http.delete(f"/uploads/{begun[0]}", headers={"X-Tenant": "us"})
    assert begin(bodies[2]).status_code == 201
    app.state.services.ledger.database.dispose()


def test_what_no_quota_ever_holds_is_refused_for_good(
    settings: Settings, storage: FolderStorage
) -> None:
    app = make_app(settings.model_copy(update={"quota_upload_bytes": 9}))
    body = {"name": "a.tif", "size": 10, "sha256": "1" * 64}
    answer = TestClient(app, raise_server_exceptions=False).post("/uploads", json=body)
    assert answer.status_code == 413
    assert "GEOGAZE_QUOTA_UPLOAD_BYTES" in answer.json()["detail"]
    assert not storage.path("uploads").exists()
    app.state.services.ledger.database.dispose()


def test_the_client_tells_why_a_file_is_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RemoteRefusal, match="cannot be read"):
        client.upload(tmp_path / "nowhere.tif")
    (tmp_path / "notes.tif").write_text("no pixels")
    with pytest.raises(RemoteRefusal, match="cannot be opened as a GeoTIFF"):
        client.upload(tmp_path / "notes.tif")
