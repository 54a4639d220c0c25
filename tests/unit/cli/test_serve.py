"""What ``geogaze api`` asks of the server that runs it."""

from __future__ import annotations

from typing import Any

import pytest
import uvicorn

from tests.unit.cli.conftest import Geogaze

PROXIES_KEEP = 60  # seconds that nginx keeps a connection for the next request


def test_connections_outlive_those_of_proxies(
    geogaze: Geogaze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a request meets a connection that is just being closed, and its client an error."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: asked.update(options))
    assert geogaze("api", "--port", 1).code == 0
    assert asked["port"] == 1
    assert asked["timeout_keep_alive"] > PROXIES_KEEP
