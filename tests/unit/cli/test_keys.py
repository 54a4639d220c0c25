"""Keys from making them to using them: ``geogaze keys``, and commands that show one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from geogaze.client import Client
from geogaze.errors import RemoteRefusal
from geogaze.ledger.keys import PREFIX
from tests.unit.api.serving import served
from tests.unit.api.testing import make_app, make_settings
from tests.unit.cli.conftest import Geogaze


@pytest.fixture
def app(tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    settings = make_settings(tmp_path, bundle_folder).model_copy(update={"keys": True})
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", settings.database_url)
    monkeypatch.delenv("GEOGAZE_API_KEY", raising=False)
    app = make_app(settings)
    yield app
    app.state.services.ledger.database.dispose()


def test_from_the_first_key_to_the_last(
    geogaze: Geogaze, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert geogaze("keys", "list").out.strip() == "No keys."
    made = geogaze("keys", "create", "anna", "--tenant", "harbour", "--days", 90)
    key = made.out.strip()
    assert key.startswith(PREFIX), "the key alone, for scripts"
    assert "may read and submit until 20" in made.err
    assert key not in made.err
    (record,) = geogaze("keys", "list", "--json").last
    assert (record["tenant"], record["state"]) == ("harbour", "active")
    monkeypatch.setenv("COLUMNS", "80")
    told = geogaze("keys", "list").out
    assert record["id"] in told, "whole, or it could not be revoked"
    assert key.split("_", 2)[2] not in told

    with served(app) as url:
        monkeypatch.setenv("GEOGAZE_API_URL", url)
        refused = geogaze("jobs")
        assert refused.code == 2
        assert "geogaze keys create" in refused.err
        monkeypatch.setenv("GEOGAZE_API_KEY", f" {key}\n")
        assert geogaze("jobs").code == 0, "as files hold it, with a line's end"
        rotated = geogaze("keys", "rotate", record["id"], "--json").last
        assert geogaze("jobs").code == 2
        monkeypatch.setenv("GEOGAZE_API_KEY", rotated["key"])
        assert geogaze("jobs").code == 0
        assert geogaze("keys", "revoke", rotated["id"]).code == 0
        ended = geogaze("jobs")
        assert ended.code == 2
        assert "revoked" in ended.err
    assert {r["state"] for r in geogaze("keys", "list", "--json").last} == {"revoked"}


def test_what_makes_no_sense_is_refused(geogaze: Geogaze, app: FastAPI) -> None:
    for words in (
        ("keys", "create", "x", "--days", 0),
        ("keys", "create", "x", "--scope", "everything"),
        ("keys", "revoke", "0" * 12),
        ("keys", "rotate", "0" * 12),
    ):
        assert geogaze(*words).code == 2, words


def test_a_database_without_tables_is_said_to_need_them(
    geogaze: Geogaze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    done = geogaze("keys", "list")
    assert done.code == 1
    assert "alembic upgrade head" in done.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3"])
def test_the_api_is_not_opened_to_all_without_keys(geogaze: Geogaze, host: str) -> None:
    done = geogaze("api", "--host", host)
    assert done.code == 2
    assert "GEOGAZE_KEYS=true" in done.err


def test_a_key_does_not_go_along_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOGAZE_API_KEY", "geogaze_secret")
    seen: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("authorization")
        if request.url.host == "api.example":
            return httpx.Response(307, headers={"Location": "https://bucket.example/heat.tif"})
        return httpx.Response(200, content=b"heat")

    with Client("https://api.example") as client:
        shown = client.http.headers
        client.http.close()
        client.http = httpx.Client(headers=shown, transport=httpx.MockTransport(answer))
        client.http.get("https://api.example/jobs/1/assets/heat.tif", follow_redirects=True)
    assert seen == {"api.example": "Bearer geogaze_secret", "bucket.example": None}


def test_a_key_of_other_characters_is_refused() -> None:
    with pytest.raises(RemoteRefusal, match="GEOGAZE_API_KEY"):
        Client("https://api.example", key="schlüssel → 1")
