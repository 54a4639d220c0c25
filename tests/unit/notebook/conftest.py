"""On the CPU."""

from __future__ import annotations

import pytest

from geogaze.config import Settings


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geogaze.notebook.explaining.get_settings", lambda: Settings(device="cpu"))
