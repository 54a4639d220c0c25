"""Settings from the environment, and where they are written down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from geogaze.config import Settings, get_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"GEOGAZE_{field.upper()}", raising=False)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", "postgresql+psycopg://db/geogaze")
    monkeypatch.setenv("GEOGAZE_SOURCE_FOLDERS", '["/scenes", "/more"]')
    monkeypatch.setenv("GEOGAZE_SOURCE_BUCKETS", '["imagery"]')
    monkeypatch.setenv("GEOGAZE_LEASE_SECONDS", "7.5")
    settings = Settings()
    assert settings.database_url == "postgresql+psycopg://db/geogaze"
    assert settings.source_folders == (Path("/scenes"), Path("/more"))
    assert settings.source_buckets == ("imagery",)
    assert settings.lease_seconds == 7.5


def test_nothing_may_be_read_unless_the_operator_says_so() -> None:
    settings = Settings()
    assert settings.source_folders == settings.source_buckets == settings.source_hosts == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "0"),
        ("MAX_ATTEMPTS", "0"),
        ("BATCH_SIZE", "-1"),
        ("TORCH_THREADS", "-1"),
        ("MESSAGES_PER_SLOT", "0"),
        ("RETENTION", "-1"),
        ("LOG_FORMAT", "xml"),
        ("SOURCE_NETWORKS", '["10.0.0.0/33"]'),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GEOGAZE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_secrets_are_not_shown() -> None:
    settings = Settings(s3_access_key="key-in-clear", s3_secret_key="secret-in-clear")
    assert "in-clear" not in repr(settings)
    assert "in-clear" not in settings.model_dump_json()
    assert settings.s3_secret_key is not None
    assert settings.s3_secret_key.get_secret_value() == "secret-in-clear"


@pytest.mark.parametrize("name", ["database_url", "broker_url", "rate_store"])
def test_passwords_in_addresses_are_not_shown(name: str) -> None:
    settings = Settings.model_validate({name: "redis://me:in-clear@host/0"})
    assert getattr(settings, name) == "redis://me:in-clear@host/0"
    assert "in-clear" not in repr(settings)


def test_settings_are_read_once_and_never_change() -> None:
    get_settings.cache_clear()
    assert get_settings() is get_settings()
    with pytest.raises(ValidationError):
        get_settings().batch_size = 1  # type: ignore[misc]
    get_settings.cache_clear()


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\|\s*`GEOGAZE_([A-Z0-9_]+)`\s*\|\s*`?(.*?)`?\s*\|", text, re.MULTILINE)
    documented = dict(rows)
    documented.pop("API_URL", None)  # the client's own
    assert documented == {
        field.upper(): _written(value) for field, value in Settings().model_dump().items()
    }


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return json.dumps([str(part) for part in value])
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def test_settings_are_keys_of_what_is_kept_by_them() -> None:
    one = Settings(retention_by_tenant={"acme": 60})
    assert hash(one) == hash(one.model_copy())
    assert len({one, one.model_copy(), Settings(), Settings(log_level="debug")}) == 3


def test_a_tenants_retention_is_an_object_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOGAZE_RETENTION_BY_TENANT", '{"harbour": 60}')
    settings = Settings()
    assert (settings.kept_for("harbour"), settings.kept_for("forest")) == (60, settings.retention)
    assert Settings(**settings.model_dump(mode="json")) == settings
