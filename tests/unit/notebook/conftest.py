"""On the CPU, and with logs as others had them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from geogaze.config import Settings


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("geogaze.notebook.explaining.get_settings", lambda: Settings(device="cpu"))
    yield
    structlog.reset_defaults()
