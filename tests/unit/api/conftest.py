"""The API on SQLite and a folder, with a model of three classes and one small scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI

from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, make_app, make_settings


@pytest.fixture
def settings(tmp_path: Path, bundle_folder: Path) -> Settings:
    return make_settings(tmp_path, bundle_folder)


@pytest.fixture
def scene(settings: Settings) -> Path:
    return make_scene(settings.source_folders[0] / "port.tif", 96, 128)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return make_app(settings)


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def serve(settings: Settings) -> Any:
    """The API with other settings, as seen at an address of the server."""
    made: list[TestClient] = []

    def make(url: str = "http://testserver", **changes: Any) -> TestClient:
        app = make_app(settings.model_copy(update=changes))
        at_once = {"Prefer": "respond-async"}
        client = TestClient(app, url, raise_server_exceptions=False, headers=at_once)
        made.append(client)
        return made[-1]

    yield make
    for client in made:
        client.app.state.services.ledger.database.dispose()  # type: ignore[attr-defined]


@pytest.fixture
def ledger(app: FastAPI) -> Ledger:
    ledger: Ledger = app.state.services.ledger
    return ledger


@pytest.fixture
def storage(app: FastAPI) -> FolderStorage:
    storage: FolderStorage = app.state.services.storage
    return storage


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What is logged, instead of rendered tracebacks."""
    merge = structlog.contextvars.merge_contextvars
    with structlog.testing.capture_logs(processors=[merge]) as entries:
        yield entries
