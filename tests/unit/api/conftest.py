"""The API on SQLite and a folder, with a model of three classes and one small scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI


from api.app import create_app
from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.factories import make_scene
from tests.unit.api.testing import TestClient


@pytest.fixture
def settings(tmp_path: Path, bundle_folder: Path) -> Settings:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        storage=str(tmp_path / "objects"),
        source_folders=(scenes,),
        model_folders=(bundle_folder.parent,),
        device="cpu",
    )


@pytest.fixture
def scene(settings: Settings) -> Path:
    return make_scene(settings.source_folders[0] / "port.tif", 96, 128)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    app.state.services.ledger.create_tables()
    return app


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


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
    with structlog.testing.capture_logs() as entries:
        yield entries
